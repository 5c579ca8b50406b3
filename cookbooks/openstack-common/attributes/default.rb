# frozen_string_literal: true

# Types and meanings are in attributes.yml.

default['openstack']['release'] = 'epoxy'
default['openstack']['region'] = 'RegionOne'
default['openstack']['address'] = nil
default['openstack']['endpoints'] = {}
default['openstack']['bind_service']['all'] = {}
default['openstack']['memcached_servers'] = nil
default['openstack']['start_timeout'] = 240
