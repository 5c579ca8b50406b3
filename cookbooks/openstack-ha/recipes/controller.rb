# frozen_string_literal: true

# The virtual address of several controllers, and HAProxy, which passes requests on to all of them. First in the run list: services use both.

virtual = openstack_virtual_address
members = openstack_members

raise 'openstack.ha.address is not set; set `virtual_address` in stackcook\'s manifest, or take openstack-ha from the run list of this node' unless virtual

unless openstack_member?
  raise "openstack.ha.members has no #{node.name}, only #{members.map(&:name).join(', ')}; add it, or take openstack-ha from the run list of this node"
end

interface = OpenstackHa::Interface.for(node['network']['interfaces'].to_h, openstack_address, virtual)
keepalived_conf = '/etc/keepalived/keepalived.conf'

openstack_packages 'ha' do
  packages %w(haproxy keepalived)
end

# HAProxy listens at the virtual address on all controllers, and only one of them has it. Not Chef's resource sysctl, which
# fails without /etc/sysctl.conf.
family = virtual.include?(':') ? 'ipv6' : 'ipv4'

file '/etc/sysctl.d/60-openstack-ha.conf' do
  content "# Written by Chef (openstack-ha).\nnet.#{family}.ip_nonlocal_bind = 1\n"
  owner 'root'
  group 'root'
  mode '0644'
end

execute 'sysctl ip_nonlocal_bind' do
  command %W(sysctl --write net.#{family}.ip_nonlocal_bind=1)
  not_if { ::File.read("/proc/sys/net/#{family}/ip_nonlocal_bind").to_i == 1 }
end

# before the first service, and before keepalived, which looks whether it runs; the recipes of services add theirs
own = openstack_runs?('openstack-database::controller') ? %w(db) : []

openstack_frontends 'public' do
  services own
end

template keepalived_conf do
  source 'keepalived.conf.erb'
  owner 'root'
  group 'root'
  mode '0644'
  variables(
    name: node.name, interface: interface, address: openstack_address, virtual: virtual,
    peers: openstack_peers.map(&:address),
    # which one gets the address when all start at once
    priority: 150 - members.map(&:name).index(node.name)
  )
end

openstack_service 'keepalived' do
  config keepalived_conf
  reload true
  wait true
end
