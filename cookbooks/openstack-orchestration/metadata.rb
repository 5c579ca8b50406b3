# frozen_string_literal: true

name 'openstack-orchestration'
maintainer 'stackcook'
license 'Apache-2.0'
description 'OpenStack Heat: stacks of resources from templates'
version '1.0.0'
chef_version '>= 18.0'
supports 'debian', '>= 13.0'
depends 'openstack-common'
