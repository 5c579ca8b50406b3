# frozen_string_literal: true

# The virtual address of several controllers, and HAProxy, which passes requests on to all of them. First in the run list: services use both.

virtual = openstack_virtual_address

raise "openstack.ha.address is not set; set `virtual_address` in stackcook's manifest, or take openstack-ha from the run list of this node" unless virtual

unless openstack_member?
  raise "openstack.ha.members has no #{node.name}, only #{openstack_members.map(&:name).join(', ')}; add it, or take openstack-ha from the run list of this node"
end

# keepalived also if UCARP is used instead: packages in conditions are in no warm box
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

# before the first service, and before keepalived or UCARP, which need it; the recipes of services add theirs
own = openstack_runs?('openstack-database::controller') ? %w(db) : []

openstack_frontends 'public' do
  services own
end

if openstack_ha_daemon == 'ucarp'
  include_recipe 'openstack-ha::_ucarp'
else
  include_recipe 'openstack-ha::_keepalived'
end
