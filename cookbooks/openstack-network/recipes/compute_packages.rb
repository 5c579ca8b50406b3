# frozen_string_literal: true

# Installs the packages for openstack-network::compute. Does not depend on other nodes, so a deploy runs
# it while the controller converges.

# haproxy: the metadata agent starts it in the namespace of each network
openstack_packages 'neutron-compute' do
  packages %w(neutron-common openvswitch-switch ovn-host neutron-ovn-metadata-agent haproxy)
end
