# frozen_string_literal: true

provides :openstack_ceph_pool
unified_mode true

description 'Creates a pool for block devices in the Ceph cluster of this node.'

property :pool, String, name_property: true
property :initialized, [true, false], default: true, skip_docs: true

load_current_value do |desired|
  applications = openstack_ceph_cluster.pools[desired.pool]
  current_value_does_not_exist! unless applications

  initialized applications.include?('rbd')
end

action :create do
  converge_if_changed do
    openstack_ceph_cluster.create_pool(new_resource.pool, [openstack_ceph_cluster.hosts.length, 3].min) unless current_resource
    openstack_ceph_cluster.init_pool(new_resource.pool)
  end
end

# As soon as there are more nodes, on up to three of them. Never on fewer than now.
action :replicate do
  cluster = openstack_ceph_cluster
  size = [cluster.hosts.length, 3].min
  now = cluster.sizes[new_resource.pool]
  next unless now

  unless cluster.by_host?(new_resource.pool)
    converge_by("store the copies of pool #{new_resource.pool} on different nodes") { cluster.place_by_host(new_resource.pool) }
  end
  converge_by("store pool #{new_resource.pool} #{size} times") { cluster.resize_pool(new_resource.pool, size) } if size > now
end
