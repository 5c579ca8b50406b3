# frozen_string_literal: true

require 'ipaddr'

module OpenstackResources
  # The external network that the attributes openstack.network.external describe.
  module ExternalNetwork
    # @return [Hash, nil] its name, and the properties of openstack_network and openstack_subnet; nil if there is none
    def openstack_external_network
      external = node['openstack']['network']['external'].to_h
      cidr = external['cidr']
      return unless cidr

      {
        name: external['name'],
        network: {
          'external' => true,
          'provider_type' => external['type'] || (external['segmentation_id'] ? 'vlan' : 'flat'),
          'physical_network' => node['openstack']['network']['provider']['physical_network'],
          'segmentation_id' => external['segmentation_id'],
        }.compact,
        subnet: {
          'network' => external['name'],
          'cidr' => cidr,
          'gateway' => external['gateway'] || IPAddr.new(cidr).succ.to_s,
          'dhcp' => false,
          'pools' => external['pool'] ? [external['pool']] : nil,
        }.compact,
      }
    end
  end
end

Chef::DSL::Recipe.include(OpenstackResources::ExternalNetwork) if defined?(Chef::DSL::Recipe)
