# frozen_string_literal: true

# Sets keys, and the manager, in Open vSwitch's table Open_vSwitch; keeps keys that are not listed. A key with the value nil is removed.
unified_mode true
provides :openstack_ovs_settings

property :external_ids, Hash, default: {}, coerce: ->(ids) { ids.transform_values { |text| text&.to_s } }
property :other_config, Hash, default: {}, coerce: ->(config) { config.transform_values { |text| text&.to_s } }
property :manager, String, description: 'the address on which its database listens, for example ptcp:6640:127.0.0.1'
property :tls, Array, default: [], description: 'the files with the key, the certificate and the CA with which ovn-controller connects'

load_current_value do |desired|
  list = shell_out!('ovs-vsctl', '--format=json', '--columns=external_ids,other_config', 'list', 'Open_vSwitch')
  record = OpenstackNetwork::Ovsdb.rows(list.stdout).first
  external_ids desired.external_ids.to_h { |key, _| [key, record['external_ids'][key]] }
  other_config desired.other_config.to_h { |key, _| [key, record['other_config'][key]] }
  manager shell_out!('ovs-vsctl', 'get-manager').stdout.split.join(' ') if desired.manager
  tls shell_out!('ovs-vsctl', 'get-ssl').stdout.scan(/^(?:Private key|Certificate|CA Certificate): (.+)$/).flatten unless desired.tls.empty?
end

action :set do
  %i(external_ids other_config).each do |column|
    converge_if_changed column do
      wanted = new_resource.public_send(column)
      set = OpenstackNetwork::Ovsdb.assignments(column, wanted.compact)
      removed = wanted.keys - wanted.compact.keys
      shell_out!('ovs-vsctl', 'set', 'Open_vSwitch', '.', *set) if set.any?
      shell_out!('ovs-vsctl', 'remove', 'Open_vSwitch', '.', column.to_s, *removed) if removed.any?
    end
  end

  converge_if_changed :tls do
    shell_out!('ovs-vsctl', 'set-ssl', *new_resource.tls)
  end

  converge_if_changed :manager do
    shell_out!('ovs-vsctl', 'set-manager', new_resource.manager)
  end
end
