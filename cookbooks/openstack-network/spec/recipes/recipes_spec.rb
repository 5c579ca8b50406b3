# frozen_string_literal: true

RSpec.describe 'openstack-network' do
  include_context 'with a controller'
  default_attributes['openstack']['network']['datapath_type'] = 'netdev'
  automatic_attributes['network']['interfaces'] = { 'lo' => {}, 'eth7' => { 'addresses' => { '192.0.2.10' => { 'family' => 'inet' } } } }

  let(:neutron_conf) { chef_run.find_resource(:openstack_config, '/etc/neutron/neutron.conf').defaults }

  def vlan_ranges
    chef_run.find_resource(:openstack_config, '/etc/neutron/plugins/ml2/ml2_conf.ini').defaults['ml2_type_vlan']['network_vlan_ranges']
  end

  def external_ids
    chef_run.find_resource(:openstack_ovs_settings, 'chassis').external_ids
  end

  describe 'controller' do
    default_attributes['openstack']['network']['uwsgi']['processes'] = 3
    let(:chef_run) { chef_runner.converge('openstack-network::controller') }

    it 'tells Neutron how many processes uWSGI starts' do
      expect(neutron_conf['DEFAULT']).to include('api_workers' => 3)
    end

    it 'removes the server for agents that OVN does not have' do
      allow(File).to receive(:exist?).and_call_original
      allow(File).to receive(:exist?).with('/var/lib/dpkg/info/neutron-rpc-server.list').and_return(true)
      expect(chef_run).to purge_package('neutron-rpc-server')
      expect(neutron_conf['DEFAULT']).to include('rpc_workers' => 0)
    end

    it 'distributes floating IPs, so that none depends on another node' do
      ml2_conf = chef_run.find_resource(:openstack_config, '/etc/neutron/plugins/ml2/ml2_conf.ini').defaults
      expect(ml2_conf['ovn']).to include('enable_distributed_floating_ip' => true)
    end

    it 'lets Neutron use the physical network' do
      expect(vlan_ranges).to eq('physnet1')
    end

    context 'with VLANs' do
      default_attributes['openstack']['network']['provider']['vlan_ranges'] = %w(physnet1:100:200 physnet1:300:400)

      it 'lets Neutron use them' do
        expect(vlan_ranges).to eq('physnet1:100:200,physnet1:300:400')
      end
    end

    it 'lets OVN\'s databases listen on the node\'s address' do
      expect(chef_run).to set_openstack_ovn_connection('nb').with(target: 'ptcp:6641:192.0.2.10')
      expect(chef_run).to set_openstack_ovn_connection('sb').with(target: 'ptcp:6642:192.0.2.10')
    end

    it 'leaves OVN alone without other controllers' do
      expect(chef_run).not_to create_file('/etc/default/ovn-central')
      expect(chef_run.find_resources(:openstack_ovn_member)).to be_empty
    end

    context 'with several controllers' do
      default_attributes['openstack']['ha'] = { 'address' => '192.0.2.9', 'members' => 'fauxhai.local=192.0.2.10 two=192.0.2.11' }

      before { allow_any_instance_of(Chef::Recipe).to receive(:openstack_converged_peers).and_return([]) }

      it 'makes OVN\'s databases members of a cluster, which listen on the node\'s address' do
        expect(chef_run).to prepare_openstack_ovn_member('nb').with(address: 'tcp:192.0.2.10:6643', peers: %w(tcp:192.0.2.11:6643))
        expect(chef_run).to join_openstack_ovn_member('sb after its start').with(database: 'sb')
        expect(chef_run).to render_file('/etc/ovn/ovnnb_db.json').with_content('"ptcp:6641:192.0.2.10"')
        expect(chef_run).to render_file('/etc/default/ovn-central').with_content(/--db-nb-cluster-local-addr=192\.0\.2\.10 .*--db-nb-cluster-remote-addr=192\.0\.2\.11/)
        expect(chef_run).to start_openstack_service('ovn-ovsdb-server-nb').with(internal_ports: [6641, 6643])
        expect(chef_run).not_to set_openstack_ovn_connection('nb')
        ml2_conf = chef_run.find_resource(:openstack_config, '/etc/neutron/plugins/ml2/ml2_conf.ini').defaults
        expect(ml2_conf['ovn']).to include('ovn_nb_connection' => 'tcp:127.0.0.1:6641', 'ovn_sb_connection' => /192\.0\.2\.1/)
      end
    end

    context 'with TLS for internal connections' do
      default_attributes['openstack']['tls']['mode'] = 'all'

      it 'connects Neutron and OVN\'s databases with it' do
        expect(chef_run).to set_openstack_ovn_connection('sb').with(target: 'pssl:6642:192.0.2.10')
        expect(chef_run).to render_file('/etc/default/ovn-central').with_content('--ovn-sb-db-ssl-key=/etc/openstack/tls/ovn/key.pem')
        ml2_conf = chef_run.find_resource(:openstack_config, '/etc/neutron/plugins/ml2/ml2_conf.ini').defaults
        expect(ml2_conf['ovn']).to include('ovn_nb_connection' => 'ssl:192.0.2.10:6641', 'ovn_nb_private_key' => '/etc/openstack/tls/neutron/key.pem')
        expect(neutron_conf['oslo_messaging_rabbit']).to include('ssl' => true, 'ssl_ca_file' => '/etc/openstack/internal-ca.pem')
      end
    end

    it 'runs the maintenance worker with a systemd unit' do
      expect(chef_run).to create_systemd_unit('neutron-ovn-maintenance-worker.service')
    end
  end

  describe 'compute' do
    let(:chef_run) { chef_runner.converge('openstack-network::compute') }

    it 'has a recipe that installs only packages, without a controller' do
      ahead = chef_runner.converge('openstack-network::compute_packages')
      expect(ahead.resource_collection.map(&:to_s)).to eq(%w(openstack_packages[neutron-compute]))
    end

    it 'uses the host name as the name of the chassis' do
      name = chef_run.node['machinename']
      expect(chef_run).to create_file('/etc/openvswitch/system-id.conf').with(content: "#{name}\n")
      expect(external_ids).to include('system-id' => name, 'hostname' => name)
    end

    it 'restarts what knows the name of the chassis when the host gets another name' do
      agent_ini = '/etc/neutron/neutron_ovn_metadata_agent.ini'
      expect(chef_run).to start_openstack_service('ovn-controller').with(config: include('/etc/openvswitch/system-id.conf'))
      expect(chef_run).to start_openstack_service('neutron-ovn-metadata-agent').with(config: include(agent_ini))
      expect(chef_run.find_resource(:openstack_config, agent_ini).defaults['DEFAULT']).to include('host' => chef_run.node['machinename'])
    end

    it 'connects to the southbound database on the controller' do
      expect(external_ids).to include('ovn-remote' => 'tcp:192.0.2.10:6642', 'ovn-encap-ip' => '192.0.2.10')
    end

    it 'enables checksum offload in the userspace datapath' do
      expect(chef_run).to set_openstack_ovs_settings('offload').with(other_config: { 'userspace-tso-enable' => 'true' })
      expect(chef_run.openstack_ovs_settings('offload')).to notify('openstack_service[ovs-vswitchd]').to(:restart).immediately
    end

    it 'takes up the taps of instances that the userspace datapath left down' do
      up = %r{KERNEL=="tap\*", RUN\+="\S*/ovs-vsctl [^"]*wait-until Interface \$name ofport!=\[\]", RUN\+="\S*/ip link set dev \$name up"}
      expect(chef_run).to render_file('/etc/udev/rules.d/90-openstack-tap.rules').with_content(up)
    end

    it 'passes tunnels on to the userspace datapath, also after a restart' do
      expect(chef_run).to create_openstack_ovs_bridge('br-tun').with(ports: %w(eth7), datapath_type: 'netdev', fail_mode: 'secure')
      expect(chef_run).to render_file('/etc/openvswitch/openstack-tunnel.flows')
        .with_content('priority=10,in_port=eth7,udp,nw_dst=192.0.2.10,tp_dst=6081,actions=LOCAL')
      expect(chef_run).to start_openstack_service('openstack-tunnel').with(config: include('/etc/openvswitch/openstack-tunnel.flows'))
    end

    context 'with a tunnel address that has a label' do
      default_attributes['openstack']['network']['tunnel_address'] = '198.51.100.2'
      automatic_attributes['network']['interfaces']['eth8:1'] = { 'addresses' => { '198.51.100.2' => { 'family' => 'inet' } } }

      it 'uses the interface itself' do
        expect(chef_run).to create_openstack_ovs_bridge('br-tun').with(ports: %w(eth8))
      end
    end

    context 'with a tunnel address that no interface has' do
      default_attributes['openstack']['network']['tunnel_address'] = '198.51.100.1'

      it 'names it' do
        expect { chef_run }.to raise_error('openstack.network.tunnel_address: no interface has the address 198.51.100.1')
      end
    end

    context 'with the datapath of the kernel' do
      default_attributes['openstack']['network']['datapath_type'] = 'system'

      it 'needs no bridge for tunnels' do
        expect(chef_run).not_to create_openstack_ovs_bridge('br-tun')
      end

      it 'leaves taps alone' do
        expect(chef_run).to delete_file('/etc/udev/rules.d/90-openstack-tap.rules')
      end
    end

    it 'installs haproxy for the metadata agent, and disables its own unit' do
      expect(chef_run).to install_openstack_packages('neutron-compute').with(packages: include('haproxy'))
      expect(chef_run).to disable_service('haproxy')
    end

    it 'leaves haproxy alone on a node with public endpoints over TLS' do
      chef_runner.node.run_state[:openstack_frontends] = true
      expect(chef_run).not_to disable_service('haproxy')
    end

    it 'leaves haproxy alone if other recipes of the node, which the run leaves out, may need it' do
      chef_runner.node.override_runlist('recipe[openstack-network::compute]')
      expect(chef_run).not_to stop_service('haproxy')
    end

    it "leaves an administrator's HAProxy alone" do
      allow(OpenstackCommon::Frontends).to receive(:administrators?).and_return(true)
      expect(chef_run).not_to disable_service('haproxy')
      expect(chef_run).not_to stop_service('haproxy')
    end

    it 'has no provider network by default' do
      expect(external_ids.keys).not_to include('ovn-bridge-mappings', 'ovn-cms-options')
    end

    it 'leaves a provider network alone that an administrator has set up' do
      expect(chef_run).not_to create_openstack_ovs_bridge('br-ex')
      expect(chef_run).not_to set_openstack_ovs_settings('no provider network')
      expect(chef_run).not_to delete_systemd_unit('openstack-provider.service')
    end

    it 'gives the interface back when the attribute was removed' do
      allow(File).to receive(:exist?).and_call_original
      allow(File).to receive(:exist?).with('/etc/systemd/system/openstack-provider.service').and_return(true)
      expect(chef_run).to set_openstack_ovs_settings('no provider network').with(external_ids: { 'ovn-bridge-mappings' => nil, 'ovn-cms-options' => nil })
      expect(chef_run).to create_openstack_ovs_bridge('br-ex').with(ports: [])
      expect(chef_run).to disable_systemd_unit('openstack-provider.service')
      expect(chef_run).to delete_systemd_unit('openstack-provider.service')
      expect(chef_run).not_to start_openstack_service('openstack-provider')
    end

    context 'with a provider interface' do
      default_attributes['openstack']['network']['provider']['interface'] = 'eth1'

      it 'connects it to the provider network, also after a reboot' do
        expect(chef_run).to create_openstack_ovs_bridge('br-ex').with(ports: %w(eth1), datapath_type: 'netdev', without_addresses: true)
        expect(external_ids).to include('ovn-bridge-mappings' => 'physnet1:br-ex', 'ovn-cms-options' => 'enable-chassis-as-gw')
        unit = '/etc/systemd/system/openstack-provider.service'
        expect(chef_run).to create_systemd_unit('openstack-provider.service')
          .with(content: including(Service: including(ExecStart: '/usr/sbin/ip link set eth1 up')))
        expect(chef_run).to start_openstack_service('openstack-provider').with(config: [unit])
      end
    end
  end

  describe 'both on one node' do
    let(:chef_run) { chef_runner.converge('openstack-network::controller', 'openstack-network::compute') }

    it 'writes one neutron.conf' do
      expect(neutron_conf['DEFAULT']).to include('core_plugin' => 'ml2', 'state_path' => '/var/lib/neutron')
    end
  end
end
