# frozen_string_literal: true

# Sets keys, and the manager, in Open vSwitch's table Open_vSwitch; keeps keys that are not listed.
unified_mode true
provides :openstack_ovs_settings

property :external_ids, Hash, default: {}, coerce: ->(ids) { ids.transform_values(&:to_s) }
property :other_config, Hash, default: {}, coerce: ->(config) { config.transform_values(&:to_s) }
property :manager, String, description: 'the address on which its database listens, for example ptcp:6640:127.0.0.1'
property :tls, Array, default: [], description: 'the files with the key, the certificate and the CA with which ovn-controller connects'

load_current_value do |desired|
  list = shell_out!('ovs-vsctl', '--format=json', '--columns=external_ids,other_config', 'list', 'Open_vSwitch')
  record = OpenstackNetwork::Ovsdb.rows(list.stdout).first
  external_ids record['external_ids'].slice(*desired.external_ids.keys)
  other_config record['other_config'].slice(*desired.other_config.keys)
  manager shell_out!('ovs-vsctl', 'get-manager').stdout.split.join(' ') if desired.manager
  tls shell_out!('ovs-vsctl', 'get-ssl').stdout.scan(/^(?:Private key|Certificate|CA Certificate): (.+)$/).flatten unless desired.tls.empty?
end

action :set do
  %i(external_ids other_config).each do |column|
    converge_if_changed column do
      wanted = OpenstackNetwork::Ovsdb.assignments(column, new_resource.public_send(column))
      shell_out!('ovs-vsctl', 'set', 'Open_vSwitch', '.', *wanted)
    end
  end

  converge_if_changed :tls do
    shell_out!('ovs-vsctl', 'set-ssl', *new_resource.tls)
  end

  converge_if_changed :manager do
    shell_out!('ovs-vsctl', 'set-manager', new_resource.manager)
  end
end
