# frozen_string_literal: true

# OVN's databases and northd, alone or as a cluster of all controllers. Included by the recipe controller; not for run lists.

ovn_default = '/etc/default/ovn-central'
member = openstack_member?
databases = %w(nb sb)
known = member ? openstack_converged_peers('openstack-network::controller') : []

openstack_packages 'ovn-central' do
  packages %w(ovn-central nftables)
end

openstack_tls_files 'ovn' do
  group 'root'
end

if member || openstack_tls_all?
  file ovn_default do
    content "# Written by Chef (openstack-network).\nOVN_CTL_OPTS=\"#{ovn_ctl_options.join(' ')}\"\n"
  end
end

if member
  directory '/etc/ovn'

  databases.each do |database|
    file "/etc/ovn/ovn#{database}_db.json" do
      content ovn_server(database)
    end

    openstack_ovn_member database do
      address ovn_member(database, openstack_address)
      peers openstack_peers.map { |peer| ovn_member(database, peer.address) }
      known known.map { |peer| ovn_member(database, peer.address) }
      action :prepare
    end
  end
end

openstack_service 'ovn-central'

databases.each do |database|
  port = openstack_port("ovn_#{database}")

  unless member
    openstack_ovn_connection database do
      target ovn_listener(database)
    end
  end

  openstack_service "ovn-ovsdb-server-#{database}" do
    ports [port]
    internal_ports [port, *(OpenstackNetwork::OvnCluster::PORTS[database] if member)]
    log "/var/log/ovn/ovsdb-server-#{database}.log"
    config [ovn_default, *("/etc/ovn/ovn#{database}_db.json" if member)]
    wait member
  end

  next unless member

  openstack_ovn_member "#{database} after its start" do
    database database
    address ovn_member(database, openstack_address)
    peers openstack_peers.map { |peer| ovn_member(database, peer.address) }
    action :join
  end
end

openstack_service 'ovn-northd' do
  log '/var/log/ovn/ovn-northd.log'
  config ovn_default
end
