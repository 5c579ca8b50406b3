# frozen_string_literal: true

require 'base64'

module OpenstackObjectStorage
  # Which nodes store objects, and which rings they have.
  module Helpers
    RECIPE = 'openstack-object-storage::storage'
    ROLE = 'object-storage'

    # The port of each server on storage nodes; each has a ring.
    PORTS = { 'account' => 6202, 'container' => 6201, 'object' => 6200 }.freeze

    # The nodes of this environment that store objects, or will do so: a deploy registers all nodes before the
    # proxy's node converges. Those that have not converged yet are found by their run list.
    #
    # @return [Array<Chef::Node>] with the attributes that their environment and roles have now; searched once per run
    def openstack_storage_nodes
      node.run_state[:openstack_storage_nodes] ||= begin
        escaped = RECIPE.gsub(':', '\:')
        where = "recipes:#{escaped} OR run_list:recipe\\[#{escaped}\\] OR run_list:role\\[#{ROLE}\\]"
        # The parentheses come first: goiardi may ignore what is before `AND (… OR …)`.
        found = search(:node, "(#{where}) AND chef_environment:#{node.chef_environment}").reject { |other| other.name == node.name }
        found.each(&:expand!)
        [node, *found].select { |each| openstack_runs_storage?(each) }.sort_by(&:name)
      end
    end

    # @return [Hash] what a storage node stores on, {name => {'weight' => 100, 'device' => '/dev/sdb'}}
    def openstack_storage_devices(of = node)
      settings = of.read('openstack', 'object_storage', 'devices') || node['openstack']['object_storage']['devices']
      devices = settings.to_h.compact
      devices.empty? ? { 'd1' => {} } : devices
    end

    # @return [Array<Hash>] the devices of the nodes as a ring has them; without nodes that have no address yet
    def openstack_ring_devices(nodes, port)
      nodes.select { |each| openstack_address(each) }.flat_map do |each|
        settings = node['openstack']['object_storage'].to_h.merge(each.read('openstack', 'object_storage').to_h)
        openstack_storage_devices(each).map do |name, device|
          { 'node' => each.name, 'ip' => openstack_address(each), 'port' => port, 'device' => name,
            'weight' => Float(device['weight'] || 100), 'region' => settings['region'], 'zone' => settings['zone'] }
        end
      end
    end

    # @return [Ring, nil] the ring that a node has saved in its node object
    def openstack_saved_ring(of, name)
      saved = of.read('openstack', 'object_storage', 'rings', name)
      saved && Ring.new(Base64.strict_decode64(saved))
    end

    # @return [Array<Ring>] the ring as the proxy's node has built it; empty if it has not yet
    def openstack_built_rings(name)
      found = search(:node, "recipes:openstack-object-storage\\:\\:proxy AND chef_environment:#{node.chef_environment}")
      found.filter_map { |other| openstack_saved_ring(other, name) }
    end

    private

    def openstack_runs_storage?(of)
      of.recipe?(RECIPE) || Array(of['recipes']).include?(RECIPE)
    end
  end
end

Chef::DSL::Universal.include(OpenstackObjectStorage::Helpers) if defined?(Chef::DSL::Universal)
