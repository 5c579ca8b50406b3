# frozen_string_literal: true

provides :openstack_user
unified_mode true

description 'Creates or updates a user in the default domain. The password is checked by logging in with it.'

property :user_name, String, name_property: true
property :password, String, default: lazy { openstack_password('user_passwords', user_name) }, sensitive: true,
                            description: 'Default: the item with the user\'s name in the data bag user_passwords'
property :email, String
property :description, String, description: 'The description in Keystone'
property :project, String, desired_state: false, description: 'The project on which it has the roles'
property :roles, Array, default: %w(member), coerce: proc(&:sort), description: 'Other roles that the user has are kept'

load_current_value do |desired|
  keystone = openstack_keystone
  found = keystone.find('users', desired.user_name)
  current_value_does_not_exist! unless found

  password keystone.password?(desired.user_name, desired.password) ? desired.password : ''
  email found['email'] || ''
  description found['description'] || ''
  held = desired.project ? keystone.roles_of(found['id'], openstack_project_id(desired.project)) : []
  roles held & desired.roles
end

action :create do
  converge_if_changed(:password, :email, :description) do
    changed = { password: new_resource.password, email: new_resource.email, description: new_resource.description }.compact
    changed.delete(:password) if current_resource&.password == new_resource.password
    if current_resource
      openstack_keystone.update('users', openstack_user_id(new_resource.user_name), changed)
    else
      openstack_keystone.create('users', changed.merge(name: new_resource.user_name, default_project_id: project_id).compact)
    end
  end

  converge_if_changed(:roles) { assign(new_resource.roles - (current_resource ? current_resource.roles : [])) } if new_resource.project
end

action_class do
  def project_id
    new_resource.project && openstack_project_id(new_resource.project)
  end

  def assign(roles)
    user_id = openstack_user_id(new_resource.user_name)
    roles.each do |name|
      role = openstack_keystone.find('roles', name)
      raise "role #{name} not found in Keystone; correct `roles`, or run `openstack role create #{name}`" unless role

      openstack_keystone.assign(user_id, project_id, role['id'])
    end
  end
end
