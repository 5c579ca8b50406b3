# frozen_string_literal: true

name 'openstack-resources'
maintainer 'stackcook'
license 'Apache-2.0'
description 'Flavors, images, networks, projects and other objects of a cloud, as Chef resources'
version '1.0.0'
chef_version '>= 18.0'
supports 'debian', '>= 13.0'
depends 'openstack-common'
depends 'openstack-network' # attributes of the external network
