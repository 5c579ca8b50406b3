# frozen_string_literal: true

# Included by the recipe controller; not for run lists.

conf = '/etc/keepalived/keepalived.conf'

# stopping it takes the address from this node
systemd_unit "#{OpenstackHa::Ucarp::UNIT}.service" do
  action %i(stop disable delete)
  only_if { ::File.exist?(OpenstackHa::Ucarp::FILE) }
end

directory OpenstackHa::Ucarp::DIRECTORY do
  recursive true
  action :delete
end

template conf do
  source 'keepalived.conf.erb'
  owner 'root'
  group 'root'
  mode '0644'
  variables(
    name: node.name, interface: openstack_ha_interface, address: openstack_address, virtual: openstack_virtual_address,
    peers: openstack_peers.map(&:address),
    # which one gets the address when all start at once
    priority: 150 - openstack_ha_index
  )
end

openstack_service 'keepalived' do
  config conf
  reload true
  wait true
end
