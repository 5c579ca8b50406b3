# frozen_string_literal: true

# openstack.network.uwsgi.KEY sets any uWSGI option of neutron-api. `processes` also sets api_workers in
# neutron.conf, because the OVN driver must know this number.
default['openstack']['network']['uwsgi']['processes'] = 2

# Open vSwitch's datapath on compute nodes: 'system' (in the kernel) or 'netdev' (in user space).
default['openstack']['network']['datapath_type'] = OpenstackNetwork::Datapath.detect

# The address at which other nodes reach this node's Geneve tunnels. Default: this node's address.
default['openstack']['network']['tunnel_address'] = nil

# Only with the userspace datapath: the bridge through which tunnels pass. The interface with the tunnel address becomes a port of it;
# the host keeps using the interface. nil: tunnels work already, for example because a bridge has the address.
default['openstack']['network']['tunnel_bridge'] = 'br-tun'

# The network interface to the external network. It must not have an address, and becomes a
# port of the bridge. Default: none; instances have no external network.
default['openstack']['network']['provider']['interface'] = nil
default['openstack']['network']['provider']['bridge'] = 'br-ex'
default['openstack']['network']['provider']['physical_network'] = 'physnet1'

# The VLANs that Neutron may use, as in network_vlan_ranges: ['physnet1:100:200']. Default: the physical network without VLAN
# IDs; administrators can still create networks with any VLAN ID.
default['openstack']['network']['provider']['vlan_ranges'] = nil

# The external network that openstack-resources creates: floating IPs are addresses of it. Without a CIDR, there is none. gateway is
# the first address by default; pool is { start, end }, by default all addresses except the gateway; type is 'flat', or 'vlan' if
# segmentation_id (the VLAN ID) is set.
default['openstack']['network']['external']['name'] = 'public'
default['openstack']['network']['external']['cidr'] = nil
default['openstack']['network']['external']['gateway'] = nil
default['openstack']['network']['external']['pool'] = nil
default['openstack']['network']['external']['type'] = nil
default['openstack']['network']['external']['segmentation_id'] = nil

# openstack.network.conf.SECTION.KEY sets any option of neutron.conf. plugins.ml2.conf does the same for
# ml2_conf.ini, and metadata.conf for neutron_ovn_metadata_agent.ini.
default['openstack']['network']['conf'] = {}
default['openstack']['network']['plugins']['ml2']['conf'] = {}
default['openstack']['network']['metadata']['conf'] = {}
