# frozen_string_literal: true

provides :openstack_project
unified_mode true

description 'Creates or updates a project in the default domain.'

property :project_name, String, name_property: true
property :description, String, description: 'The description in Keystone'
property :enabled, [true, false], default: true

load_current_value do |desired|
  found = openstack_keystone.find('projects', desired.project_name)
  current_value_does_not_exist! unless found

  description found['description'] || ''
  enabled found['enabled']
end

action :create do
  converge_if_changed do
    keystone = openstack_keystone
    wanted = { description: new_resource.description, enabled: new_resource.enabled }.compact
    if current_resource
      keystone.update('projects', openstack_project_id(new_resource.project_name), wanted)
    else
      keystone.create('projects', wanted.merge(name: new_resource.project_name))
    end
  end
end
