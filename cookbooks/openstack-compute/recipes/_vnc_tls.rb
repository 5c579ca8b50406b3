# frozen_string_literal: true

# Included by the recipe compute: certificates with which the consoles of instances accept only Nova's console proxy. Not for run lists.

pem = openstack_internal_certificate

directory OpenstackCompute::VncTls::DIRECTORY do
  recursive true
  mode '0755'
end

# QEMU knows these names, and reads them as the user libvirt-qemu
{ 'ca-cert' => 'ca', 'server-cert' => 'certificate', 'server-key' => 'key' }.each do |name, part|
  file "#{OpenstackCompute::VncTls::DIRECTORY}/#{name}.pem" do
    content pem[part]
    owner 'root'
    group 'libvirt-qemu'
    mode '0640'
    sensitive part == 'key'
    backup false # of a key that was replaced
  end
end
