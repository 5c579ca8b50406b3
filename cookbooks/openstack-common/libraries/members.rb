# frozen_string_literal: true

require 'socket'

module OpenstackCommon
  # The controllers of a cloud that has several of them, and the virtual address that they share.
  module Members
    # A controller: its node's name, and the address at which other nodes reach it.
    Member = Struct.new(:name, :address)

    # @return [String, nil] the address that one of the controllers has at a time; nil in a cloud with a single controller
    def openstack_virtual_address
      node.dig('openstack', 'ha', 'address')
    end

    # @return [Boolean] whether the cloud has several controllers that share an address
    def openstack_ha?
      !openstack_virtual_address.nil?
    end

    # From the attribute, else by a search for nodes of this environment, sorted by name.
    #
    # @return [Array<Member>] all controllers of a cloud with several of them; the first one creates clusters, the others join
    # @raise [RuntimeError] the attribute is malformed
    def openstack_members
      node.run_state[:openstack_members] ||= OpenstackCommon::Members.given(node) || found_members
    end

    # @return [Boolean] whether this node is a controller of a cloud with several of them
    def openstack_member?
      openstack_ha? && openstack_members.any? { |member| member.name == node.name }
    end

    # @return [Boolean] whether this node is the one that creates clusters which do not exist yet
    def openstack_first_member?
      openstack_members.first&.name == node.name
    end

    # @return [Array<Member>] the other controllers
    def openstack_peers
      openstack_members.reject { |member| member.name == node.name }
    end

    # They are found by a search: without a Chef server, there are none.
    #
    # @return [Array<Member>] those of the other controllers on which a converge with this recipe has succeeded: members of clusters
    def openstack_converged_peers(recipe)
      names = openstack_nodes(recipe, all: true).map(&:name)
      openstack_peers.select { |peer| names.include?(peer.name) }
    end

    # @param of [String] ha or ceph
    # @return [Array<Member>, nil] of the attribute `openstack.OF.members`: "controller1=192.0.2.11 controller2=192.0.2.12"
    def self.given(node, of = 'ha')
      text = node.dig('openstack', of, 'members') or return
      text.split.map do |word|
        name, address = word.split('=', 2)
        raise "openstack.#{of}.members: \"#{word}\" is not NAME=ADDRESS" if [name, address].any? { |part| part.to_s.empty? }

        Member.new(name, address)
      end
    end

    # @return [Boolean] whether a server listens there
    def self.reachable?(address, port)
      Socket.tcp(address, port, connect_timeout: 3, &:itself)
      true
    rescue SystemCallError, SocketError
      false
    end

    private

    def found_members
      openstack_nodes('openstack-ha::controller', all: true).map { |found| Member.new(found.name, openstack_address(found)) }.sort_by(&:name)
    end
  end
end
