# frozen_string_literal: true

require 'digest'
require_relative 'members'

module OpenstackCommon
  # How a node uses a Ceph cluster: the one of the cookbook openstack-ceph, or an existing one that attributes name.
  module Ceph
    CONF = '/etc/ceph/ceph.conf'
    # the commands, and the Python libraries of Cinder's, Glance's and Nova's drivers
    PACKAGES = %w(ceph-common python3-rados python3-rbd).freeze

    RECIPE = 'openstack-ceph::cluster'

    # So that clients wait little for a node that has died. Its monitor is missed after 4 s instead of 10, and replaced 3 s later instead of 5:
    # an election waits that long for it. Who was connected to it looks for another one after 6 s instead of 30. Its OSD is down once two others
    # have not heard of it for 6 s instead of 20, also if it has often been away.
    TIMEOUTS = {
      'osd_heartbeat_interval' => 2,
      'osd_heartbeat_grace' => 6,
      'mon_osd_adjust_heartbeat_grace' => false,
      'mon_lease' => 2,
      'mon_election_timeout' => 3,
      'mon_client_ping_interval' => 2,
      'mon_client_ping_timeout' => 6,
    }.freeze

    # All connections are encrypted. The older protocol v1 can't do that.
    SECURE = %w(ms_cluster_mode ms_service_mode ms_client_mode ms_mon_cluster_mode ms_mon_service_mode ms_mon_client_mode)
             .to_h { |option| [option, 'secure'] }.freeze

    # Ceph's keys are structures: type 1 (AES), the time of creation, the number of bytes, the bytes.
    KEY = 'S<L<L<S<a16'

    module_function

    # @param secret [String] a key as Ceph writes it, or any other text
    # @return [String] the same key; for another text one that is made of it, always the same
    def key(secret)
      return secret if key?(secret)

      [[1, 0, 0, 16, Digest::SHA256.digest(secret)].pack(KEY)].pack('m0')
    end

    # @return [String] a keyring file
    def keyring(entity, key, caps = {})
      ["[#{entity}]\n", "\tkey = #{key}\n", *caps.map { |daemon, cap| "\tcaps #{daemon} = \"#{cap}\"\n" }].join
    end

    def key?(text)
      text.match?(%r{\A[A-Za-z0-9+/]{38}==\z}) && text.unpack1('m').start_with?("\x01\x00".b)
    end
    private_class_method :key?

    # For recipes and resources.
    module Helpers
      # @return [Boolean] whether the cloud has Ceph
      def openstack_ceph?
        !node['openstack']['ceph']['mon_hosts'].nil? || openstack_has?('ceph')
      end

      # In the order of the controllers that share an address, others after them by name. From the attribute, else by a search.
      #
      # @return [Array<Member>] the nodes of the cluster that recipe[openstack-ceph::cluster] makes; the first one creates it
      # @raise [RuntimeError] there is none, or the attribute is malformed
      def openstack_ceph_members
        node.run_state[:openstack_ceph_members] ||= OpenstackCommon::Members.given(node, 'ceph') || found_ceph_members
      end

      # @param client [String] cinder or glance; admin or mon for the cluster itself
      # @return [String] the key of the client, from the data bag ceph_keys
      def openstack_ceph_key(client)
        OpenstackCommon::Ceph.key(openstack_password('ceph_keys', client))
      end

      # Declares ceph.conf, or adds sections to it.
      #
      # @param sections [Hash] {section => {option => value}}
      def openstack_ceph_conf(sections = {})
        global = { 'fsid' => node['openstack']['ceph']['fsid'], 'mon_host' => ceph_monitors.join(',') }
        global.merge!(OpenstackCommon::Ceph::SECURE) if openstack_tls_all?
        global.merge!(OpenstackCommon::Ceph::TIMEOUTS) if ceph_monitors.length > 1 && !node['openstack']['ceph']['mon_hosts']
        openstack_config_part(CONF, { service: 'ceph', group: 'root', mode: '0644' },
                              Chef::Mixin::DeepMerge.merge({ 'global' => global }, sections))
      end

      # Declares what a service needs to be a client of Ceph, after the packages of both. If the cluster is on this
      # node, it is created first, whatever the order in the run list.
      #
      # @param client [String] cinder or glance
      # @param group [String] who may read its key
      def openstack_ceph_client(client, group:)
        include_recipe OpenstackCommon::Ceph::RECIPE if openstack_runs?(OpenstackCommon::Ceph::RECIPE)
        openstack_ceph_conf

        text = OpenstackCommon::Ceph.keyring("client.#{client}", openstack_ceph_key(client))
        file "/etc/ceph/ceph.client.#{client}.keyring" do
          content text
          group group
          mode '0640'
          sensitive true
        end
      end

      private

      def ceph_monitors
        given = node['openstack']['ceph']['mon_hosts'] || openstack_endpoint('ceph', 'internal', 'host')
        return Array(given) if given

        # an address without a port stands for both protocols
        openstack_ceph_members.map { |member| openstack_tls_all? ? "[v2:#{member.address}:3300]" : member.address }
      end

      def found_ceph_members
        recipe = OpenstackCommon::Ceph::RECIPE
        found = openstack_nodes(recipe, all: true).reject { |other| other.name == node.name }
        found << node if openstack_runs?(recipe)
        raise "ceph: recipe[#{recipe}] is on no node of environment #{node.chef_environment}; put it on one, or set openstack.ceph.mon_hosts" if found.empty?

        order = openstack_ha? ? openstack_members.map(&:name) : []
        found.map { |each| OpenstackCommon::Members::Member.new(each.name, openstack_address(each)) }
             .sort_by { |member| [order.index(member.name) || order.length, member.name] }
      end
    end
  end
end

Chef::DSL::Universal.include(OpenstackCommon::Ceph::Helpers) if defined?(Chef::DSL::Universal)
