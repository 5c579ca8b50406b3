# frozen_string_literal: true

# openstack.network.uwsgi.KEY sets any uWSGI option of neutron-api. `processes` also sets api_workers in
# neutron.conf, because the OVN driver must know this number.
default['openstack']['network']['uwsgi']['processes'] = 2

# Open vSwitch's datapath on compute nodes: 'system' (in the kernel) or 'netdev' (in user space).
default['openstack']['network']['datapath_type'] = OpenstackNetwork::Datapath.detect

# The address at which other nodes reach this node's Geneve tunnels. Default: this node's address.
default['openstack']['network']['tunnel_address'] = nil

# The network interface to the external network. It must not have an address, and becomes a
# port of the bridge. Default: none; instances have no external network.
default['openstack']['network']['provider']['interface'] = nil
default['openstack']['network']['provider']['bridge'] = 'br-ex'
default['openstack']['network']['provider']['physical_network'] = 'physnet1'

# openstack.network.conf.SECTION.KEY sets any option of neutron.conf. plugins.ml2.conf does the same for
# ml2_conf.ini, and metadata.conf for neutron_ovn_metadata_agent.ini.
default['openstack']['network']['conf'] = {}
default['openstack']['network']['plugins']['ml2']['conf'] = {}
default['openstack']['network']['metadata']['conf'] = {}
