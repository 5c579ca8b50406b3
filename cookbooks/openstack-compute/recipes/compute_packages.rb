# frozen_string_literal: true

# What openstack-compute::compute needs of the package mirror, and of no other node: a deploy runs it
# while the controller converges.

# nova-compute-qemu differs by one option and brings QEMU for nine more architectures (90 MB)
openstack_packages 'nova-compute' do
  packages %w(nova-common nova-compute nova-compute-kvm libvirt-daemon-system)
end
