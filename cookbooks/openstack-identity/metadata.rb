# frozen_string_literal: true

name 'openstack-identity'
maintainer 'stackcook'
license 'Apache-2.0'
description 'OpenStack Keystone: users, projects, tokens and the catalog'
version '1.0.0'
chef_version '>= 18.0'
supports 'debian', '>= 13.0'
depends 'openstack-common'
