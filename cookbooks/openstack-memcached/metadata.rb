# frozen_string_literal: true

name 'openstack-memcached'
maintainer 'stackcook'
license 'Apache-2.0'
description 'memcached for the token cache of OpenStack and the sessions of Horizon'
version '1.0.0'
chef_version '>= 18.0'
supports 'debian', '>= 13.0'
depends 'openstack-common'
