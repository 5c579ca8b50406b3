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
    openstack_ceph_cluster.create_pool(new_resource.pool) unless current_resource
    openstack_ceph_cluster.init_pool(new_resource.pool)
  end
end
