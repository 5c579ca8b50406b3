# frozen_string_literal: true

# Types and meanings are in attributes.yml.

default['openstack']['network']['uwsgi']['processes'] = 2
default['openstack']['network']['datapath_type'] = OpenstackNetwork::Datapath.detect
default['openstack']['network']['tunnel_address'] = nil
default['openstack']['network']['tunnel_bridge'] = 'br-tun'
default['openstack']['network']['provider']['interface'] = nil
default['openstack']['network']['provider']['bridge'] = 'br-ex'
default['openstack']['network']['provider']['physical_network'] = 'physnet1'
default['openstack']['network']['provider']['vlan_ranges'] = nil
default['openstack']['network']['external']['name'] = 'public'
default['openstack']['network']['external']['cidr'] = nil
default['openstack']['network']['external']['gateway'] = nil
default['openstack']['network']['external']['pool'] = nil
default['openstack']['network']['external']['type'] = nil
default['openstack']['network']['external']['segmentation_id'] = nil
default['openstack']['network']['conf'] = {}
default['openstack']['network']['plugins']['ml2']['conf'] = {}
default['openstack']['network']['metadata']['conf'] = {}
