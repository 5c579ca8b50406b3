# frozen_string_literal: true

# Included by the recipe controller; not for run lists.

command = OpenstackHa::Ucarp.command(openstack_ha_interface, openstack_address, openstack_virtual_address, openstack_ha_index)

openstack_packages 'ucarp'

conf = '/etc/keepalived/keepalived.conf'

# Stopping it takes the address from this node. An administrator may use it for other addresses.
service 'keepalived' do
  action %i(stop disable)
  not_if { ::File.exist?(conf) && !::File.read(conf).start_with?('# Written by Chef (openstack-ha).') }
end

directory OpenstackHa::Ucarp::DIRECTORY

{
  OpenstackHa::Ucarp::UP => 'ip address replace "$2/32" dev "$1"',
  # says nothing if there is no such address
  OpenstackHa::Ucarp::DOWN => 'ip address flush dev "$1" to "$2/32"',
}.each do |path, script|
  file path do
    content "#!/bin/sh\n# Written by Chef (openstack-ha).\n#{script}\n"
    owner 'root'
    group 'root'
    mode '0755'
  end
end

file OpenstackHa::Ucarp::PASSWORD do
  content "#{openstack_password('secrets', 'ucarp').byteslice(0, OpenstackHa::Ucarp::LONGEST_PASSWORD)}\n"
  owner 'root'
  group 'root'
  mode '0600'
  sensitive true
end

# It starts and stops with HAProxy, also if that crashes or restarts.
systemd_unit "#{OpenstackHa::Ucarp::UNIT}.service" do
  content(
    Unit: {
      Description: 'Virtual address of the OpenStack controllers',
      BindsTo: 'haproxy.service',
      After: 'haproxy.service network-online.target',
      Wants: 'network-online.target',
      StartLimitIntervalSec: 0,
    },
    Service: {
      ExecStart: command,
      # also if it was killed
      ExecStopPost: "#{OpenstackHa::Ucarp::DOWN} #{openstack_ha_interface} #{openstack_virtual_address}",
      # without a link, it does not end by itself
      TimeoutStopSec: 5,
      Restart: 'always',
      RestartSec: 1,
      CapabilityBoundingSet: 'CAP_NET_ADMIN CAP_NET_RAW',
      ProtectHome: true,
      PrivateTmp: true,
      NoNewPrivileges: true,
    },
    Install: { WantedBy: 'haproxy.service' }
  )
  action :create
end

openstack_service OpenstackHa::Ucarp::UNIT do
  config [OpenstackHa::Ucarp::FILE, OpenstackHa::Ucarp::PASSWORD]
  wait true
end
