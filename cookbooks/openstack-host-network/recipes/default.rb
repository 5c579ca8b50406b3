# frozen_string_literal: true

openstack_host_network 'default' do
  interfaces node['openstack']['host_network']['interfaces'].to_h
end
