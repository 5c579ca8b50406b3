# frozen_string_literal: true

# Included by the recipe controller; not for run lists.

conf = '/etc/keepalived/keepalived.conf'

# Only what the recipe _ucarp has written: an administrator may have files of UCARP there, too. The unit goes last, because it says that the files are ours.
if ::File.exist?(OpenstackHa::Ucarp::FILE)
  # stopping it takes the address from this node
  service OpenstackHa::Ucarp::UNIT do
    action %i(stop disable)
  end

  [OpenstackHa::Ucarp::UP, OpenstackHa::Ucarp::DOWN, OpenstackHa::Ucarp::PASSWORD].each do |path|
    file path do
      backup false
      action :delete
    end
  end

  directory OpenstackHa::Ucarp::DIRECTORY do
    action :delete
    only_if { ::Dir.empty?(OpenstackHa::Ucarp::DIRECTORY) }
  end

  systemd_unit "#{OpenstackHa::Ucarp::UNIT}.service" do
    action :delete
  end
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
