# frozen_string_literal: true

name 'openstack-ceph'
maintainer 'stackcook'
license 'Apache-2.0'
description 'A small Ceph cluster, on one node for labs, or on three'
version '1.0.0'
chef_version '>= 18.0'
supports 'debian', '>= 13.0'
depends 'openstack-common'
