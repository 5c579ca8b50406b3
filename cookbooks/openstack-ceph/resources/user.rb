# frozen_string_literal: true

provides :openstack_ceph_user
unified_mode true

description 'Creates or updates a user of the Ceph cluster of this node.'

property :entity, String, name_property: true, regex: /\Aclient\./
property :key, String, required: true, sensitive: true
property :caps, Hash, required: true, coerce: proc { |caps| caps.transform_keys(&:to_s) }, description: '{daemon => capabilities}, as in `ceph auth`'

load_current_value do |desired|
  user = openstack_ceph_cluster.users[desired.entity]
  current_value_does_not_exist! unless user

  key user['key']
  caps user['caps']
end

action :create do
  converge_if_changed do
    openstack_ceph_cluster.import_user(OpenstackCommon::Ceph.keyring(new_resource.entity, new_resource.key, new_resource.caps))
  end
end
