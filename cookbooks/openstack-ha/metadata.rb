# frozen_string_literal: true

name 'openstack-ha'
maintainer 'stackcook'
license 'Apache-2.0'
description 'A virtual address for several controllers, moved by keepalived or UCARP'
version '1.0.0'
chef_version '>= 18.8'
supports 'debian', '>= 13.0'
depends 'openstack-common'
