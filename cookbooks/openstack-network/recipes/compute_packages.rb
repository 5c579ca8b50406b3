# frozen_string_literal: true

# What openstack-network::compute needs of the package mirror, and of no other node: a deploy runs it
# while the controller converges.

# haproxy: the metadata agent starts one in each network's namespace
openstack_packages 'neutron-compute' do
  packages %w(neutron-common openvswitch-switch ovn-host neutron-ovn-metadata-agent haproxy)
end
