# frozen_string_literal: true

name 'openstack-object-storage'
maintainer 'stackcook'
license 'Apache-2.0'
description 'OpenStack Swift: a proxy and storage nodes'
version '1.0.0'
chef_version '>= 18.0'
supports 'debian', '>= 13.0'
depends 'openstack-common'
