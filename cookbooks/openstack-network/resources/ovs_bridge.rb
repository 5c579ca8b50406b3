# frozen_string_literal: true

# Creates an Open vSwitch bridge and adds ports to it. Removes ports that it has added and that are no longer wanted; keeps others.
unified_mode true
provides :openstack_ovs_bridge

# How it knows in Open vSwitch's database the ports that it has added
ADDED = 'external_ids:added-by=openstack_ovs_bridge'

property :bridge, String, name_property: true
property :datapath_type, String, equal_to: %w(system netdev), default: 'system'
property :fail_mode, String, equal_to: %w(standalone secure), description: 'secure: without flows, it passes on nothing'
property :ports, Array, default: [], coerce: proc(&:sort)
property :without_addresses, [true, false], default: false, desired_state: false, description: 'Refuse to add a port that has IP addresses: the host would no longer be reached there'

# @return [Array<String>] the ports that it has added, of all bridges
def added
  shell_out!('ovs-vsctl', '--bare', '--columns=name', 'find', 'Port', ADDED).stdout.split
end

load_current_value do |desired|
  current_value_does_not_exist! if shell_out('ovs-vsctl', 'br-exists', desired.bridge).error?

  type = shell_out!('ovs-vsctl', 'get', 'Bridge', desired.bridge, 'datapath_type').stdout.delete("\"\n")
  datapath_type type.empty? ? 'system' : type
  mode = shell_out!('ovs-vsctl', 'get', 'Bridge', desired.bridge, 'fail_mode').stdout.delete("\"\n")
  fail_mode mode unless mode == '[]'
  ports shell_out!('ovs-vsctl', 'list-ports', desired.bridge).stdout.split & (desired.ports | added)
end

action :create do
  converge_if_changed do
    refuse_addresses if new_resource.without_addresses
    commands = [['--may-exist', 'add-br', new_resource.bridge],
                ['set', 'Bridge', new_resource.bridge, "datapath_type=#{new_resource.datapath_type}"]]
    commands << ['set', 'Bridge', new_resource.bridge, "fail_mode=#{new_resource.fail_mode}"] if new_resource.fail_mode
    commands += (there - new_resource.ports).map { |port| ['--if-exists', 'del-port', new_resource.bridge, port] }
    # those of a bridge that had another name
    commands += (missing & new_resource.added).map { |port| ['--if-exists', 'del-port', port] }
    commands += missing.flat_map { |port| [['--may-exist', 'add-port', new_resource.bridge, port], ['set', 'Port', port, ADDED]] }
    shell_out!('ovs-vsctl', *commands.flat_map { |command| ['--', *command] })
  end
end

action_class do
  def there
    current_resource&.ports.to_a
  end

  def missing
    new_resource.ports - there
  end

  def refuse_addresses
    missing.each do |port|
      lines = shell_out!('ip', '-oneline', 'address', 'show', 'dev', port, 'scope', 'global').stdout
      addresses = lines.scan(%r{ inet6? ([^/ ]+)}).flatten
      next if addresses.empty?

      raise "#{port} has the address #{addresses.join(' and ')}, at which this host would no longer be reached as a port of " \
            "#{new_resource.bridge}; use an interface without addresses"
    end
  end
end
