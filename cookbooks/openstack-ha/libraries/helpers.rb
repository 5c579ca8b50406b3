# frozen_string_literal: true

require_relative 'interface'

module OpenstackHa
  # Of the node that converges, for recipes.
  module Helpers
    DAEMONS = %w(keepalived ucarp).freeze

    # @return [String] what moves the virtual address, one of {DAEMONS}
    # @raise [RuntimeError] the attribute has another value
    def openstack_ha_daemon
      daemon = node['openstack']['ha']['daemon']
      return daemon if DAEMONS.include?(daemon)

      raise "attribute openstack.ha.daemon: #{daemon.inspect} is none of #{DAEMONS.join(', ')}"
    end

    # @return [String] the interface on which the node has its own address, and may get the virtual one
    def openstack_ha_interface
      OpenstackHa::Interface.for(node['network']['interfaces'].to_h, openstack_address, openstack_virtual_address)
    end

    # @return [Integer] which of the controllers the node is, from 0
    def openstack_ha_index
      openstack_members.map(&:name).index(node.name)
    end
  end
end

Chef::DSL::Universal.include(OpenstackHa::Helpers) if defined?(Chef::DSL::Universal)
