# frozen_string_literal: true

name 'openstack-compute'
maintainer 'stackcook'
license 'Apache-2.0'
description 'OpenStack Nova: its API, conductor and scheduler, and nova-compute with libvirt'
version '1.0.0'
chef_version '>= 18.0'
supports 'debian', '>= 13.0'
depends 'openstack-common'
