# frozen_string_literal: true

# Sets the address on which OVN's northbound (`nb`) or southbound (`sb`) database listens.
unified_mode true
provides :openstack_ovn_connection

property :database, String, name_property: true, equal_to: %w(nb sb)
property :target, String, required: true, description: 'for example ptcp:6641:192.0.2.10'
property :inactivity_probe, Integer, default: 60_000, description: 'milliseconds'

load_current_value do |desired|
  OpenstackNetwork::Ovsdb.wait_for("/run/ovn/ovn#{desired.database}_db.sock")
  list = shell_out!("ovn-#{desired.database}ctl", '--format=json', '--columns=target,inactivity_probe', 'list', 'Connection')
  connections = OpenstackNetwork::Ovsdb.rows(list.stdout)
  current_value_does_not_exist! unless connections.one?

  target connections.first['target']
  probe = connections.first['inactivity_probe']
  inactivity_probe probe.is_a?(Integer) ? probe : -1 # [] if it was never set
end

action :set do
  converge_if_changed do
    shell_out!("ovn-#{new_resource.database}ctl", 'set-connection', new_resource.target,
               '--', 'set', 'Connection', '.', "inactivity_probe=#{new_resource.inactivity_probe}")
  end
end
