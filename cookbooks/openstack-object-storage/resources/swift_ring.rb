# frozen_string_literal: true

provides :openstack_swift_ring
unified_mode true

description 'A ring of Swift in /etc/swift. One node builds it; all nodes save theirs in their node objects, from which other nodes install it.'

property :ring, String, name_property: true, equal_to: %w(account container object)
property :directory, String, default: '/etc/swift'
property :devices, Array, default: [], description: 'For :build: the devices that it must have, as openstack_ring_devices returns them. Others stay in it'
property :removed_nodes, Array, default: [], description: 'For :build: names of nodes whose devices are removed'
property :copies, Array, default: [], description: 'The ring as other nodes have it: :install takes the newest; :build restores a lost builder file from it'

action :build do
  settings = node['openstack']['object_storage']
  options = %w(part_power replicas min_part_hours).to_h { |key| [key.to_sym, Integer(settings[key])] }
  builder = OpenstackObjectStorage::RingBuilder.new(new_resource.directory, new_resource.ring, options)
  made = builder.rebalanced(new_resource.devices, new_resource.removed_nodes, new_resource.copies)
  converge_by("put the ring #{new_resource.ring} in use: #{summary(made)}") { builder.install } if made
  Chef::Log.warn("the ring #{new_resource.ring} can't be changed yet: #{builder.refusal}") if builder.refusal

  ring = made || builder.ring || raise("the ring #{new_resource.ring} could not be built: #{builder.refusal}")
  if ring.replicas < options[:replicas]
    Chef::Log.warn("ring #{new_resource.ring}: #{ring.replicas} instead of #{options[:replicas]} replicas, because there are not more devices")
  end
  publish(ring)
end

action :install do
  mine = OpenstackObjectStorage::Ring.read(path)
  newest = new_resource.copies.max_by(&:version)
  raise "no node has a ring #{new_resource.ring} yet; first converge the node with recipe[openstack-object-storage::proxy], which builds it" unless newest

  if mine && mine.version > newest.version
    raise "#{path} has version #{mine.version}, but the proxy's node only version #{newest.version}: with an older ring, Swift would not find its objects; " \
          "copy #{new_resource.ring}.ring.gz and #{new_resource.ring}.builder there from a backup, or delete #{path} if this node was part of another cluster"
  end

  file path do
    content newest.bytes
    owner 'root'
    group 'root'
    mode '0644'
    sensitive true # it is binary: a diff would be of no use
  end
  publish(newest)
end

action_class do
  def path
    ::File.join(new_resource.directory, "#{new_resource.ring}.ring.gz")
  end

  def summary(ring)
    "#{ring.devices.size} devices, #{ring.replicas} replicas, version #{ring.version}"
  end

  def publish(ring)
    node.default['openstack']['object_storage']['rings'][new_resource.ring] = Base64.strict_encode64(ring.bytes)
  end
end
