# frozen_string_literal: true

require 'json'

module OpenstackNetwork
  # Neutron's options as {section => {option => value}}.
  module Helpers
    NEUTRON_CONF = '/etc/neutron/neutron.conf'

    # @param sections [Hash] options to add, such as {neutron_base}
    def neutron_conf(sections)
      openstack_config_part(NEUTRON_CONF, { service: 'network', group: 'neutron' }, sections)
    end

    # @return [Hash] what controller and compute nodes have in common
    def neutron_base
      {
        'DEFAULT' => { 'log_dir' => '/var/log/neutron', 'state_path' => '/var/lib/neutron' },
        'oslo_concurrency' => { 'lock_path' => '/var/lib/neutron/tmp' },
        'agent' => { 'root_helper' => 'sudo neutron-rootwrap /etc/neutron/rootwrap.conf' },
      }
    end

    # @return [Hash] for the API and its workers
    def neutron_controller
      {
        'DEFAULT' => {
          'core_plugin' => 'ml2',
          'service_plugins' => 'ovn-router',
          'transport_url' => transport_url,
          # the OVN driver reads the number of API processes here, and logs errors about its hash ring if it is wrong
          'api_workers' => node['openstack']['network']['uwsgi']['processes'],
          # OVN's agents take everything from its databases. With RPC workers, each request that changes something waits for RabbitMQ, too
          'rpc_workers' => 0,
          'notify_nova_on_port_status_changes' => true,
          'notify_nova_on_port_data_changes' => true,
        },
        'database' => { 'connection' => db_url('neutron') },
        'oslo_policy' => { 'policy_dirs' => '/etc/neutron/policy.d' },
        'keystone_authtoken' => keystone_authtoken('neutron'),
        **openstack_rabbit_section,
        # the default is public
        'nova' => keystone_client_section('nova').merge('endpoint_type' => 'internal'),
        'placement' => keystone_client_section('placement').merge('endpoint_type' => 'internal'),
        **openstack_proxy_section,
      }
    end

    # @return [Hash] for ml2_conf.ini: OVN, with geneve between the nodes
    def ml2_conf
      provider = node['openstack']['network']['provider']
      {
        'ml2' => {
          'type_drivers' => 'flat,vlan,geneve',
          'tenant_network_types' => 'geneve',
          'mechanism_drivers' => 'ovn',
          'extension_drivers' => 'port_security',
          'overlay_ip_version' => 4,
        },
        'ml2_type_flat' => { 'flat_networks' => provider['physical_network'] },
        'ml2_type_vlan' => { 'network_vlan_ranges' => Array(provider['vlan_ranges'] || provider['physical_network']).join(',') },
        # each of Neutron's processes reads all numbers when it starts: a second for 65536
        'ml2_type_geneve' => { 'vni_ranges' => '1:16384', 'max_header_size' => 38 },
        'securitygroup' => { 'enable_security_group' => true },
        'ovn' => {
          'ovn_nb_connection' => neutron_northbound,
          'ovn_sb_connection' => openstack_url('ovn_sb'),
          **neutron_ovn_tls('nb'),
          **neutron_ovn_tls('sb'),
          # a member that is cut off does not end its connections: twice this time, and Neutron tries another one; the default is a minute
          'ovsdb_probe_interval' => (3000 if openstack_ha?),
          'ovn_l3_scheduler' => 'leastloaded',
          'ovn_metadata_enabled' => true,
          # each node with instances is on the external network, so none depends on another one: of two
          # gateways, OVN takes the one that is left for cut off, and does not let it take over
          'enable_distributed_floating_ip' => true,
        },
      }
    end

    # @return [Hash] for neutron_ovn_metadata_agent.ini
    def ovn_metadata_agent_conf
      {
        'DEFAULT' => {
          # as the default, but when the host gets another name, the file changes and the agent restarts: it
          # asks for the name of its chassis only then
          'host' => node['machinename'],
          'nova_metadata_host' => openstack_host('metadata'),
          'nova_metadata_port' => openstack_port('metadata'),
          **(openstack_tls_all? ? { 'nova_metadata_protocol' => 'https', 'auth_ca_cert' => openstack_internal_ca } : {}),
          'metadata_proxy_shared_secret' => OpenstackCommon::Ini.literal(openstack_password('secrets', 'metadata_proxy')),
          'metadata_workers' => 1,
        },
        'ovs' => { 'ovsdb_connection' => 'unix:/run/openvswitch/db.sock' },
        'ovn' => { 'ovn_sb_connection' => openstack_url('ovn_sb'), **neutron_ovn_tls('sb') },
      }
    end

    # @return [String] where Neutron finds OVN's northbound database; with several controllers, HAProxy leads it to the leader
    def neutron_northbound
      url = openstack_url('ovn_nb')
      openstack_member? ? "#{url[/\A\w+/]}:#{OpenstackCommon::Helpers::LOOPBACK}:#{openstack_port('ovn_nb')}" : url
    end

    # @param database [String] nb or sb
    # @return [Hash] how Neutron proves to OVN's database who it is; empty without TLS
    def neutron_ovn_tls(database)
      return {} unless openstack_tls_all?

      paths = openstack_tls_paths('neutron')
      { "ovn_#{database}_private_key" => paths[:key], "ovn_#{database}_certificate" => paths[:certificate], "ovn_#{database}_ca_cert" => paths[:ca] }
    end

    # @param database [String] nb or sb
    # @param address [String] of a controller
    # @return [String] where other members of the cluster reach its server, in the form of OVSDB
    def ovn_member(database, address)
      "#{openstack_tls_all? ? 'ssl' : 'tcp'}:#{address}:#{OpenstackNetwork::OvnCluster::PORTS.fetch(database)}"
    end

    # @param database [String] nb or sb
    # @return [String] where its server listens for clients, in the form of OVSDB
    def ovn_listener(database)
      service = "ovn_#{database}"
      "#{openstack_tls_all? ? 'pssl' : 'ptcp'}:#{openstack_port(service)}:#{openstack_bind_address(service)}"
    end

    # A member of a cluster cannot keep the addresses on which it listens in the database, which all members share.
    #
    # @return [String] a member's configuration of ovsdb-server, as JSON
    def ovn_server(database)
      remotes = { "punix:/run/ovn/ovn#{database}_db.sock" => {}, ovn_listener(database) => { 'inactivity-probe' => 60_000 } }
      "#{JSON.pretty_generate('remotes' => remotes, 'databases' => { OpenstackNetwork::OvnCluster.file(database) => {} })}\n"
    end

    # @return [Array<String>] options of ovn-ctl
    def ovn_ctl_options
      tls = openstack_tls_paths('ovn')
      options = []
      %w(nb sb).each do |database|
        if openstack_tls_all?
          options.push("--ovn-#{database}-db-ssl-key=#{tls[:key]}", "--ovn-#{database}-db-ssl-cert=#{tls[:certificate]}",
                       "--ovn-#{database}-db-ssl-ca-cert=#{tls[:ca]}")
        end
        options.concat(ovn_cluster_options(database)) if openstack_member?
      end
      return options unless openstack_member? && openstack_tls_all?

      options.push("--ovn-northd-ssl-key=#{tls[:key]}", "--ovn-northd-ssl-cert=#{tls[:certificate]}", "--ovn-northd-ssl-ca-cert=#{tls[:ca]}")
    end

    # @return [String] the address at which other nodes reach this node's Geneve tunnels
    def openstack_tunnel_address
      node['openstack']['network']['tunnel_address'] || openstack_address
    end

    # @return [String] the interface with that address
    # @raise [RuntimeError] there is none
    def openstack_tunnel_interface
      OpenstackNetwork::Tunnel.interface(node['network']['interfaces'].to_h, openstack_tunnel_address) ||
        raise("openstack.network.tunnel_address: no interface has the address #{openstack_tunnel_address}")
    end

    # @return [Hash{String => String}] what ovn-controller reads from Open vSwitch's external_ids
    def ovn_chassis
      network = node['openstack']['network']
      provider = network['provider']
      ids = {
        # the host name, so that a reinstalled node takes over its old chassis; a second chassis would conflict
        # with it, because both have the same address
        'system-id' => node['machinename'],
        'hostname' => node['machinename'],
        'ovn-remote' => openstack_url('ovn_sb'),
        'ovn-encap-type' => 'geneve',
        'ovn-encap-ip' => openstack_tunnel_address,
        'ovn-bridge-datapath-type' => network['datapath_type'],
      }
      return ids unless provider['interface']

      ids.merge('ovn-bridge-mappings' => "#{provider['physical_network']}:#{provider['bridge']}",
                'ovn-cms-options' => 'enable-chassis-as-gw')
    end

    private

    # With the address of a peer, ovn-ctl never creates a second cluster if the file of the database is lost.
    def ovn_cluster_options(database)
      proto = openstack_tls_all? ? 'ssl' : 'tcp'
      {
        "db-#{database}-config-file" => "/etc/ovn/ovn#{database}_db.json",
        "db-#{database}-cluster-local-proto" => proto,
        "db-#{database}-cluster-local-addr" => openstack_address,
        "db-#{database}-cluster-remote-proto" => proto,
        "db-#{database}-cluster-remote-addr" => openstack_peers.first&.address,
        "ovn-northd-#{database}-db" => openstack_url("ovn_#{database}"),
      }.compact.map { |option, value| "--#{option}=#{value}" }
    end
  end
end

Chef::DSL::Universal.include(OpenstackNetwork::Helpers) if defined?(Chef::DSL::Universal)
