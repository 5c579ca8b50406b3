# frozen_string_literal: true

name 'openstack-network'
maintainer 'stackcook'
license 'Apache-2.0'
description 'OpenStack Neutron with ML2/OVN: the API, the OVN databases, and the agents on compute nodes'
version '1.0.0'
chef_version '>= 18.0'
supports 'debian', '>= 13.0'
depends 'openstack-common'
