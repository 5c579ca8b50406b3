# frozen_string_literal: true

# Creates the objects that the attributes openstack.resources and openstack.network.external describe. The services may be on
# other nodes. Of several controllers, the first one does it: all would create the same objects, and the test image that each of them
# builds differs.

return if openstack_member? && !openstack_first_member?

declared = node['openstack']['resources'].to_h.transform_values { |objects| objects.to_h.compact }
unknown = declared.keys - OpenstackResources::Declared::KINDS.keys
raise ArgumentError, "attribute openstack.resources: unknown kind #{unknown.join(', ')}; known kinds are #{OpenstackResources::Declared::KINDS.keys.join(', ')}" if unknown.any?

external = openstack_external_network

if external
  declared['networks'] = { external[:name] => external[:network] }.merge(declared['networks'])
  declared['subnets'] = { external[:name] => external[:subnet] }.merge(declared['subnets'])
end

# a router without `external_network` gets the cloud's external network, if it has one
declared['routers'].transform_values! { |router| external ? { 'external_network' => external[:name] }.merge(router) : router }

declared['images'].transform_values! do |image|
  next image unless image['test_image']

  openstack_test_image OpenstackResources::TestImage::PATH
  OpenstackResources::TestImage.image.merge(image.except('test_image'))
end

OpenstackResources::Declared::KINDS.each_key do |kind|
  declared[kind].each do |name, properties|
    resource = openstack_declare(kind, name, properties)
    next unless kind == 'quotas' && resource.volume.any?

    # Cinder may come later in the run list
    resource.action :nothing
    resource.delayed_action :set
  end
end
