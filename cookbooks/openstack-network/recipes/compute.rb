# frozen_string_literal: true

# Open vSwitch, OVN's controller, and the agent that forwards requests for metadata to Nova.

include_recipe 'openstack-network::compute_packages'
include_recipe 'openstack-network::_common'

network = node['openstack']['network']
datapath = network['datapath_type']
provider = network['provider']

# At each start, Open vSwitch sets system-id from this file, overriding the value in its database
system_id = '/etc/openvswitch/system-id.conf'

file system_id do
  content "#{node['machinename']}\n"
end

openstack_service 'openvswitch-switch' do
  wait true
end

openstack_service 'ovs-vswitchd' do
  wait true
  log '/var/log/openvswitch/ovs-vswitchd.log'
end

openstack_tls_files 'ovn' do
  group 'root'
end

openstack_tls_files 'neutron'

openstack_ovs_settings 'chassis' do
  external_ids ovn_chassis
  tls openstack_tls_all? ? openstack_tls_paths('ovn').values_at(:key, :certificate, :ca) : []
  # nova-compute, which does not run as root, connects instances through this
  manager 'ptcp:6640:127.0.0.1'
end

# In the userspace datapath, packets between instances and the host have no checksums without this
# setting. Open vSwitch reads it only when it starts.
openstack_ovs_settings 'offload' do
  other_config 'userspace-tso-enable' => datapath == 'netdev'
  notifies :restart, 'openstack_service[ovs-vswitchd]', :immediately
end

# When Open vSwitch's userspace datapath adds an interface, it sets its flags back to what it has read a moment before. If libvirt sets
# the tap of a new instance up in between, the tap stays down; so it is set up again once Open vSwitch has it.
file '/etc/udev/rules.d/90-openstack-tap.rules' do
  content <<~RULE
    # Written by Chef
    ACTION=="add", SUBSYSTEM=="net", KERNEL=="tap*", RUN+="/usr/bin/ovs-vsctl --timeout=10 wait-until Interface $name ofport!=[]", RUN+="/usr/sbin/ip link set dev $name up"
  RULE
  action datapath == 'netdev' ? :create : :delete
end

if datapath == 'netdev' && network['tunnel_bridge']
  bridge = network['tunnel_bridge']
  interface = openstack_tunnel_interface
  flows = '/etc/openvswitch/openstack-tunnel.flows'
  tunnel_unit = '/etc/systemd/system/openstack-tunnel.service'

  openstack_ovs_bridge bridge do
    datapath_type datapath
    fail_mode 'secure'
    ports [interface]
  end

  file flows do
    content OpenstackNetwork::Tunnel.flows(interface, openstack_tunnel_address)
  end

  # Open vSwitch forgets flows when it stops
  systemd_unit 'openstack-tunnel.service' do
    content(
      Unit: { Description: 'Tunnels of the userspace datapath', After: 'ovs-vswitchd.service', BindsTo: 'ovs-vswitchd.service' },
      Service: {
        Type: 'oneshot',
        RemainAfterExit: true,
        ExecStart: [
          "/usr/sbin/ip link set #{bridge} up",
          "/usr/sbin/ip address replace #{OpenstackNetwork::Tunnel::LOCAL_ADDRESS} dev #{bridge} scope host",
          "/usr/bin/ovs-ofctl replace-flows #{bridge} #{flows}",
        ],
        Restart: 'on-failure',
        RestartSec: 2,
      },
      Install: { WantedBy: 'ovs-vswitchd.service' }
    )
    action :create
  end

  openstack_service 'openstack-tunnel' do
    config [flows, tunnel_unit]
  end
end

provider_unit = '/etc/systemd/system/openstack-provider.service'

if provider['interface']
  openstack_ovs_bridge provider['bridge'] do
    datapath_type datapath
    ports [provider['interface']]
    without_addresses true
  end

  systemd_unit 'openstack-provider.service' do
    content(
      Unit: { Description: 'Provider network interface', After: 'openvswitch-switch.service', Requires: 'openvswitch-switch.service' },
      Service: { Type: 'oneshot', RemainAfterExit: true, ExecStart: "/usr/sbin/ip link set #{provider['interface']} up" },
      Install: { WantedBy: 'multi-user.target' }
    )
    action :create
  end

  openstack_service 'openstack-provider' do
    config [provider_unit]
  end
elsif ::File.exist?(provider_unit)
  # The attribute was removed. The unit goes last, because it says that the settings are ours.
  openstack_ovs_settings 'no provider network' do
    external_ids 'ovn-bridge-mappings' => nil, 'ovn-cms-options' => nil
  end

  openstack_ovs_bridge provider['bridge'] do
    datapath_type datapath
  end

  systemd_unit 'openstack-provider.service' do
    action %i(stop disable delete)
  end
end

openstack_service 'ovn-host'

# When the host gets another name, it restarts, and registers its chassis under that name
openstack_service 'ovn-controller' do
  log '/var/log/ovn/ovn-controller.log'
  config system_id
end

# The metadata agent runs haproxy itself. The package's unit is only needed in front of APIs, or for what an administrator has configured
service 'haproxy' do
  action %i(disable stop)
  not_if { node.run_state[:openstack_frontends] || openstack_partial_run? || OpenstackCommon::Frontends.administrators? }
end

agent_ini = '/etc/neutron/neutron_ovn_metadata_agent.ini'

openstack_config agent_ini do
  service 'network.metadata'
  group 'neutron'
  defaults ovn_metadata_agent_conf
end

openstack_service 'neutron-ovn-metadata-agent' do
  log '/var/log/neutron/neutron-ovn-metadata-agent.log'
  config [OpenstackNetwork::Helpers::NEUTRON_CONF, agent_ini]
end
