# frozen_string_literal: true

# nova-compute with libvirt and QEMU.

include_recipe 'openstack-compute::compute_packages'
include_recipe 'openstack-compute::_common'

nova_conf nova_compute

# nova-compute reads this file last; options in it would override nova.conf
file '/etc/nova/nova-compute.conf' do
  content "# Written by Chef, and empty: nova.conf has all options.\n"
  group 'nova'
  mode '0640'
end

# Without this file, nova-compute generates a random UUID, and Nova rejects it on a host that was
# reinstalled with the same name. An existing UUID is kept.
file '/var/lib/nova/compute_id' do
  content OpenstackCompute::Identity.uuid(node['machinename'])
  owner 'nova'
  group 'nova'
  mode '0644'
  action :create_if_missing
end

# The running D-Bus does not know a user that a package has just created, and denies polkit its bus
# name. Without polkit, libvirt rejects all clients.
polkit = %w(org.freedesktop.PolicyKit1 /org/freedesktop/PolicyKit1/Authority org.freedesktop.DBus.Peer Ping)

execute 'systemctl reload dbus && systemctl restart polkit' do
  not_if %w(busctl --timeout=2 call).concat(polkit).join(' ')
end

qemu_conf = '/etc/libvirt/qemu.conf'

file qemu_conf do
  content(lazy { OpenstackCompute::CoreLimit.forbid(::File.read(qemu_conf)) })
  only_if { OpenstackCompute::CoreLimit.forbidden? }
end

# In a container, libvirt must not see the memory of the whole host
numa = '/var/lib/openstack/numa'
numa_unit = '/etc/systemd/system/libvirtd.service.d/openstack.conf'

if OpenstackCompute::Sizes.limited?
  OpenstackCompute::Numa.files(OpenstackCompute::Sizes.memory, OpenstackCompute::Numa.cpus).each do |name, text|
    directory ::File.dirname("#{numa}/#{name}") do
      recursive true
    end

    file "#{numa}/#{name}" do
      content text
    end
  end

  directory ::File.dirname(numa_unit)

  file numa_unit do
    content "[Service]\nBindReadOnlyPaths=#{numa}:/sys/devices/system/node\n"
    notifies :run, 'execute[systemctl daemon-reload]', :immediately
  end
end

openstack_service 'libvirtd' do
  config [qemu_conf, numa_unit, "#{numa}/node0/meminfo"]
end

openstack_service 'nova-compute' do
  log '/var/log/nova/nova-compute.log'
  config OpenstackCompute::Helpers::NOVA_CONF
end
