# frozen_string_literal: true

provides :openstack_libvirt_secret
unified_mode true

description 'Stores a secret of the usage type ceph in libvirt, which must be running. Its value is passed on stdin, and only root can read it.'

property :uuid, String, name_property: true
property :usage, String, required: true, desired_state: false, description: 'The user of Ceph, such as client.cinder'
property :value, String, required: true, sensitive: true, description: 'Its key, in Base64'

load_current_value do |desired|
  ran = shell_out('virsh', '--connect', 'qemu:///system', 'secret-get-value', desired.uuid)
  current_value_does_not_exist! if ran.error?

  value ran.stdout.strip
end

action :create do
  converge_if_changed do
    replaced.each { |uuid| virsh(nil, 'secret-undefine', uuid) }
    virsh(<<~XML, 'secret-define', '/dev/stdin')
      <secret ephemeral='no' private='no'>
        <uuid>#{new_resource.uuid}</uuid>
        <usage type='ceph'><name>#{new_resource.usage}</name></usage>
      </secret>
    XML
    virsh(new_resource.value, 'secret-set-value', new_resource.uuid, '--file', '/dev/stdin')
  end
end

action_class do
  # @return [Array<String>] the UUIDs of other secrets of the same user, as of another cluster; libvirt refuses a second one
  def replaced
    rows = virsh(nil, 'secret-list').stdout.lines.map(&:split)
    rows.select { |_, *usage| usage == ['ceph', new_resource.usage] }.map(&:first) - [new_resource.uuid]
  end

  def virsh(input, *argv)
    shell_out!('virsh', '--connect', 'qemu:///system', *argv, input: input)
  end
end
