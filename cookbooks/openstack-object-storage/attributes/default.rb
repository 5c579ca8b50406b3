# frozen_string_literal: true

default['openstack']['object_storage']['devices'] = {}
default['openstack']['object_storage']['region'] = 1
default['openstack']['object_storage']['zone'] = 1
default['openstack']['object_storage']['removed_nodes'] = []
default['openstack']['object_storage']['replicas'] = 3
default['openstack']['object_storage']['part_power'] = 10
default['openstack']['object_storage']['min_part_hours'] = 1
default['openstack']['object_storage']['conf'] = {}
%w(proxy account container object expirer).each { |server| default['openstack']['object_storage'][server]['conf'] = {} }
