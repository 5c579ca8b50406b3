# frozen_string_literal: true

# Installs the packages for openstack-compute::compute. Does not depend on other nodes, so a deploy runs
# it while the controller converges.

# not nova-compute-qemu: it differs in one option, and installs QEMU for nine more architectures (90 MB)
openstack_packages 'nova-compute' do
  packages %w(nova-common nova-compute nova-compute-kvm libvirt-daemon-system nftables)
end
