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

compute_id = '/var/lib/nova/compute_id'

# Without this file, nova-compute generates a random UUID, and Nova rejects it on a host that was
# reinstalled with the same name. A random UUID is kept. That of another name is replaced: after two
# hosts had the same name, Nova would take both for the same compute node.
file compute_id do
  content OpenstackCompute::Identity.uuid(node['machinename'])
  owner 'nova'
  group 'nova'
  mode '0644'
  not_if { ::File.exist?(compute_id) && !OpenstackCompute::Identity.derived?(::File.read(compute_id)) }
end

qemu_conf = '/etc/libvirt/qemu.conf'

file qemu_conf do
  content(lazy do
    text = ::File.read(qemu_conf)
    text = OpenstackCompute::CoreLimit.forbid(text) if OpenstackCompute::CoreLimit.forbidden?
    OpenstackCompute::VncTls.set(text, openstack_tls_all?)
  end)
  only_if { OpenstackCompute::CoreLimit.forbidden? || OpenstackCompute::VncTls.concerns?(qemu_conf, openstack_tls_all?) }
end

include_recipe 'openstack-compute::_vnc_tls' if openstack_tls_all?

openstack_service 'libvirtd' do
  internal_ports [16_509, 16_514] # if an attribute lets it listen
  config qemu_conf
  wait openstack_ceph?
end

include_recipe 'openstack-compute::_volumes'

openstack_service 'nova-compute' do
  internal_ports ['5900-6079'] # the consoles of instances; the first 180 of a node
  log '/var/log/nova/nova-compute.log'
  config [OpenstackCompute::Helpers::NOVA_CONF, compute_id]
end
