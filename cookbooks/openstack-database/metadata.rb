# frozen_string_literal: true

name 'openstack-database'
maintainer 'stackcook'
license 'Apache-2.0'
description 'MariaDB for OpenStack, and the databases of its services'
version '1.0.0'
chef_version '>= 18.0'
supports 'debian', '>= 13.0'
depends 'openstack-common'
