# frozen_string_literal: true

provides :openstack_identity_bootstrap
unified_mode true

description 'Creates Keystone\'s first user, project, roles and region, and its own endpoints. Checks the password by logging in with it.'

property :user, String, name_property: true
property :password, String, required: true, sensitive: true
property :endpoints, Hash, required: true, description: '{interface => URL} for public, internal and admin'

load_current_value do |desired|
  # in the project: a bootstrap that ended early may have made the user only
  logs_in = openstack_keystone.password?(desired.user, desired.password, project: 'admin')
  current_value_does_not_exist! unless logs_in

  password desired.password
  endpoints openstack_keystone.endpoints('identity', node['openstack']['region'])
end

action :create do
  converge_if_changed do
    urls = new_resource.endpoints.flat_map { |interface, url| ["--bootstrap-#{interface}-url", url] }

    execute 'keystone-manage bootstrap' do
      command ['keystone-manage', 'bootstrap', '--bootstrap-username', new_resource.user,
               '--bootstrap-region-id', node['openstack']['region'], *urls]
      environment 'OS_BOOTSTRAP_PASSWORD' => new_resource.password
      sensitive true
    end
  end
end
