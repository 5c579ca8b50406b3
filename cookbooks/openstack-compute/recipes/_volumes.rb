# frozen_string_literal: true

# Included by the recipe compute: what a compute node needs to attach Cinder's volumes. Not for run lists.

if openstack_ceph?
  # python3-rbd is for libvirt.images_type = rbd
  openstack_packages 'nova-compute-ceph' do
    packages %w(qemu-block-extra) + OpenstackCommon::Ceph::PACKAGES
  end

  openstack_ceph_conf

  openstack_libvirt_secret node['openstack']['ceph']['fsid'] do
    usage 'client.cinder'
    value openstack_ceph_key('cinder')
  end
elsif openstack_has?('block_storage')
  openstack_service 'iscsid'
end
