# frozen_string_literal: true

# Types and meanings are in attributes.yml.

default['openstack']['release'] = 'epoxy'
default['openstack']['region'] = 'RegionOne'
default['openstack']['address'] = nil
default['openstack']['endpoints'] = {}
default['openstack']['bind_service']['all'] = {}
default['openstack']['memcached_servers'] = nil
default['openstack']['tls']['mode'] = 'none'
default['openstack']['firewall']['enabled'] = true
default['openstack']['firewall']['nodes'] = nil
default['openstack']['firewall']['also'] = []
default['openstack']['start_timeout'] = 240
default['openstack']['ceph']['mon_hosts'] = nil
default['openstack']['ceph']['members'] = nil
default['openstack']['ceph']['fsid'] = 'b1a7e5d0-6f0c-4c5e-9d3e-7d3f5c0a4e11'
default['openstack']['ceph']['pools']['volumes'] = 'volumes'
default['openstack']['ceph']['pools']['images'] = 'images'
default['openstack']['ceph']['pools']['backups'] = 'backups'
default['openstack']['ceph']['conf'] = {}
