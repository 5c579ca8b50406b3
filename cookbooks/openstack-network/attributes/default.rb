# frozen_string_literal: true

# uWSGI: openstack.network.uwsgi.KEY sets any option of it. The OVN driver must know the number of
# its processes: neutron.conf's api_workers follows.
default['openstack']['network']['uwsgi']['processes'] = 2

# Open vSwitch's datapath on compute nodes: 'system' (in the kernel) or 'netdev' (in user space).
default['openstack']['network']['datapath_type'] = OpenstackNetwork::Datapath.detect

# The address at which other nodes reach this one's tunnels. Missing: this node's address.
default['openstack']['network']['tunnel_address'] = nil

# The way outside: a NIC without an address, which becomes a port of the bridge. Missing: none.
default['openstack']['network']['provider']['interface'] = nil
default['openstack']['network']['provider']['bridge'] = 'br-ex'
default['openstack']['network']['provider']['physical_network'] = 'physnet1'

# openstack.network.conf.SECTION.KEY sets any option of neutron.conf, plugins.ml2.conf of
# ml2_conf.ini, metadata.conf of neutron_ovn_metadata_agent.ini.
default['openstack']['network']['conf'] = {}
default['openstack']['network']['plugins']['ml2']['conf'] = {}
default['openstack']['network']['metadata']['conf'] = {}
