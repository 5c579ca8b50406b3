# frozen_string_literal: true

provides :openstack_orchestration_domain
unified_mode true

description 'Creates the Keystone domain for the users of Heat\'s stacks, and its administrator, with the role admin on it. The password is checked by logging in with it.'

property :domain, String, name_property: true
property :admin, String, required: true, desired_state: false, description: 'The administrator of the domain'
property :password, String, default: lazy { openstack_password('service_passwords', admin) }, sensitive: true,
                            description: 'Default: the item with the administrator\'s name in the data bag service_passwords'
property :granted, [true, false], default: true, skip_docs: true

load_current_value do |desired|
  keystone = openstack_keystone
  domain = keystone.find('domains', desired.domain)
  current_value_does_not_exist! unless domain

  password keystone.password?(desired.admin, desired.password, domain: domain['id']) ? desired.password : ''
  user = keystone.find('users', desired.admin, domain: domain['id'])
  granted !user.nil? && keystone.roles_of(user['id'], domain['id'], on: 'domains').include?('admin')
end

action :create do
  converge_if_changed(:password) do
    domain || openstack_keystone.create('domains', name: new_resource.domain, description: 'Users of Heat\'s stacks')
    if admin
      openstack_keystone.update('users', admin['id'], password: new_resource.password)
    else
      openstack_keystone.create('users', name: new_resource.admin, password: new_resource.password, domain_id: domain['id'])
    end
  end

  converge_if_changed(:granted) do
    role = openstack_keystone.find('roles', 'admin')
    openstack_keystone.assign(admin['id'], domain['id'], role['id'], on: 'domains')
  end
end

action_class do
  def domain
    openstack_keystone.find('domains', new_resource.domain)
  end

  def admin
    openstack_keystone.find('users', new_resource.admin, domain: domain['id'])
  end
end
