# frozen_string_literal: true

require 'digest'

module OpenstackCommon
  # How a node uses a Ceph cluster: the one of the cookbook openstack-ceph, or an existing one that attributes name.
  module Ceph
    CONF = '/etc/ceph/ceph.conf'
    # the commands, and the Python libraries of Cinder's, Glance's and Nova's drivers
    PACKAGES = %w(ceph-common python3-rados python3-rbd).freeze

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

      # @param client [String] cinder or glance
      # @return [String] the key of the client, from the data bag ceph_keys
      def openstack_ceph_key(client)
        OpenstackCommon::Ceph.key(openstack_password('ceph_keys', client))
      end

      # Declares ceph.conf, or adds sections to it.
      #
      # @param sections [Hash] {section => {option => value}}
      def openstack_ceph_conf(sections = {})
        monitors = node['openstack']['ceph']['mon_hosts'] || [openstack_host('ceph')]
        global = { 'fsid' => node['openstack']['ceph']['fsid'], 'mon_host' => Array(monitors).join(',') }
        openstack_config_part(CONF, { service: 'ceph', group: 'root', mode: '0644' },
                              Chef::Mixin::DeepMerge.merge({ 'global' => global }, sections))
      end

      # Declares what a service needs to be a client of Ceph, after the packages of both. If the cluster is on this
      # node, it is created first, whatever the order in the run list.
      #
      # @param client [String] cinder or glance
      # @param group [String] who may read its key
      def openstack_ceph_client(client, group:)
        include_recipe 'openstack-ceph::cluster' if openstack_runs?('openstack-ceph::cluster')
        openstack_ceph_conf

        text = OpenstackCommon::Ceph.keyring("client.#{client}", openstack_ceph_key(client))
        file "/etc/ceph/ceph.client.#{client}.keyring" do
          content text
          group group
          mode '0640'
          sensitive true
        end
      end
    end
  end
end

Chef::DSL::Universal.include(OpenstackCommon::Ceph::Helpers) if defined?(Chef::DSL::Universal)
