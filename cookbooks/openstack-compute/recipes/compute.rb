# frozen_string_literal: true

# nova-compute with libvirt and QEMU.

include_recipe 'openstack-compute::compute_packages'
include_recipe 'openstack-compute::_common'

nova_conf nova_compute

# Read last, it would win over nova.conf
file '/etc/nova/nova-compute.conf' do
  content "# Written by Chef, and empty: nova.conf has all options.\n"
  group 'nova'
  mode '0640'
end

# Of itself nova-compute would choose one at random, and refuse to start on a host made anew under
# its old name. One that was chosen already stays.
file '/var/lib/nova/compute_id' do
  content OpenstackCompute::Identity.uuid(node['machinename'])
  owner 'nova'
  group 'nova'
  mode '0644'
  action :create_if_missing
end

# The running D-Bus doesn't know a user that a package has just made, and denies polkit its name;
# libvirt without polkit refuses all clients.
polkit = %w(org.freedesktop.PolicyKit1 /org/freedesktop/PolicyKit1/Authority org.freedesktop.DBus.Peer Ping)

execute 'systemctl reload dbus && systemctl restart polkit' do
  not_if %w(busctl --timeout=2 call).concat(polkit).join(' ')
end

openstack_service 'libvirtd'

openstack_service 'nova-compute' do
  log '/var/log/nova/nova-compute.log'
  config OpenstackCompute::Helpers::NOVA_CONF
end
