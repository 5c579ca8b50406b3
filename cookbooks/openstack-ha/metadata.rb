# frozen_string_literal: true

name 'openstack-ha'
maintainer 'stackcook'
license 'Apache-2.0'
description "The address that controllers share"
version '1.0.0'
chef_version '>= 18.0'
supports 'debian', '>= 13.0'
depends 'openstack-common'
