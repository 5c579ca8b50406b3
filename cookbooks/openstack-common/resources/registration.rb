# frozen_string_literal: true

provides :openstack_registration
unified_mode true

description 'Registers a service with Keystone: its user with roles on the project service, its entry in the catalog, its endpoints. The password is checked by logging in with it.'

property :user, String, name_property: true, description: 'The user; its password is in the data bag service_passwords'
property :password, String, default: lazy { openstack_password('service_passwords', user) }, sensitive: true
property :project, String, default: 'service', desired_state: false
property :roles, Array, default: %w(service), coerce: proc(&:sort)
property :service_type, String, required: true, desired_state: false, description: 'The type in the catalog: image, compute, …'
property :service_name, String, default: lazy { user }
property :endpoints, Hash, required: true, description: '{interface => URL}; interfaces are public, internal, admin'

load_current_value do |desired|
  keystone = openstack_keystone
  found_user = keystone.find('users', desired.user)
  found_project = keystone.find('projects', desired.project)
  service = keystone.service(desired.service_type)

  password keystone.password?(desired.user, desired.password) ? desired.password : ''
  held = found_user && found_project ? keystone.roles_of(found_user['id'], found_project['id']) : []
  roles held & desired.roles # other roles that the user has are kept
  service_name service ? service['name'] : ''
  endpoints keystone.endpoints(desired.service_type, node['openstack']['region']).slice(*desired.endpoints.keys)
end

action :create do
  converge_if_changed(:password) { ensure_named('users', new_resource.user, password: new_resource.password) }
  converge_if_changed :roles do
    user = keystone.find('users', new_resource.user)
    project = ensure_named('projects', new_resource.project)
    (new_resource.roles - current_resource.roles).each do |name|
      keystone.assign(user['id'], project['id'], ensure_named('roles', name)['id'])
    end
  end
  converge_if_changed :service_name do
    service ? keystone.update('services', service['id'], name: new_resource.service_name) : create_service
  end
  converge_if_changed(:endpoints) { new_resource.endpoints.each { |interface, url| ensure_endpoint(interface, url) } }
end

action_class do
  def keystone
    openstack_keystone
  end

  def service
    keystone.service(new_resource.service_type)
  end

  def create_service
    keystone.create('services', type: new_resource.service_type, name: new_resource.service_name)
  end

  # Creates the object, or updates the attributes of the existing one.
  def ensure_named(kind, name, **attributes)
    found = keystone.find(kind, name)
    return attributes.empty? ? found : keystone.update(kind, found['id'], attributes) if found

    keystone.create(kind, attributes.merge(name: name))
  end

  def ensure_endpoint(interface, url)
    region = node['openstack']['region']
    ensure_region(region)
    key = { service_id: service['id'], interface: interface, region_id: region }
    found = keystone.list('endpoints', **key).first
    found ? keystone.update('endpoints', found['id'], url: url) : keystone.create('endpoints', key.merge(url: url))
  end

  def ensure_region(region)
    keystone.create('regions', id: region) if keystone.list('regions').none? { |known| known['id'] == region }
  end
end
