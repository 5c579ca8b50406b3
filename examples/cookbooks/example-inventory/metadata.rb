# frozen_string_literal: true

name 'example-inventory'
maintainer 'stackcook'
license 'Apache-2.0'
description 'An imaginary service of OpenStack, to show the resources of openstack-common'
version '1.0.0'
chef_version '>= 18.8'
supports 'debian', '>= 13.0'
depends 'openstack-common'
