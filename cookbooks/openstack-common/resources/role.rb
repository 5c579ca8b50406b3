# frozen_string_literal: true

provides :openstack_role
unified_mode true

description 'Creates a role in Keystone.'

property :role, String, name_property: true

load_current_value do |desired|
  current_value_does_not_exist! unless openstack_keystone.find('roles', desired.role)
end

action :create do
  converge_if_changed { openstack_keystone.create('roles', name: new_resource.role) }
end
