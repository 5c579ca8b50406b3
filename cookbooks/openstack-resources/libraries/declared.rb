# frozen_string_literal: true

module OpenstackResources
  # Makes resources of the attributes openstack.resources.
  module Declared
    # The kinds in the order in which they are created: an object comes after those that it refers to.
    KINDS = {
      'projects' => :openstack_project, 'users' => :openstack_user, 'quotas' => :openstack_quota, 'flavors' => :openstack_flavor,
      'keypairs' => :openstack_keypair, 'images' => :openstack_image, 'networks' => :openstack_network, 'subnets' => :openstack_subnet,
      'routers' => :openstack_router, 'security_groups' => :openstack_security_group
    }.freeze

    # Declares a resource.
    #
    # @param kind [String] a key of {KINDS}
    # @param properties [Hash] its properties
    # @raise [ArgumentError] the resource has no such property
    def openstack_declare(kind, name, properties)
      declare_resource(KINDS.fetch(kind), name) do
        known = self.class.properties.keys - Chef::Resource.properties.keys
        properties.each do |property, value|
          unless known.include?(property.to_sym)
            raise ArgumentError, "attribute openstack.resources.#{kind}.#{name}.#{property}: #{resource_name} has no such property; it has #{known.sort.join(', ')}"
          end

          public_send(property, value)
        end
      end
    end
  end
end

Chef::DSL::Recipe.include(OpenstackResources::Declared) if defined?(Chef::DSL::Recipe)
