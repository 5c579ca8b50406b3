# frozen_string_literal: true

RSpec.describe 'openstack_host_network' do
  platform 'debian', '13'
  step_into :openstack_host_network

  recipe do
    openstack_host_network 'default' do
      interfaces 'br0' => { 'kind' => 'bridge', 'addresses' => %w(10.0.0.1/24) }
    end
  end

  let(:change) do
    instance_double(OpenstackHostNetwork::Change, names: %w(br0), manager: 'networkd', underway?: false, undone?: false,
                                                  empty?: false, change?: true, staged: { 'names' => "br0\n", 'files/etc/br0' => 'text' },
                                                  units: { 'openstack-host-network.service' => 'unit' })
  end

  before { allow(OpenstackHostNetwork::Change).to receive(:new).and_return(change) }

  it 'stages the new files, and starts the switch' do
    expect(chef_run).to create_file('/var/lib/openstack-host-network/new/files/etc/br0').with(content: 'text', mode: '0644')
    expect(chef_run).to create_file('/var/lib/openstack-host-network/new/names').with(content: "br0\n")
    expect(chef_run).to create_file('/var/lib/openstack-host-network/state').with(content: "staged\n")
    expect(chef_run).to create_systemd_unit('openstack-host-network.service').with(content: 'unit')
    expect(chef_run).to create_cookbook_file('/usr/local/sbin/openstack-host-network').with(mode: '0755')
    expect(chef_run).to start_service('openstack-host-network')
  end

  it 'does not start a switch if the host is as described' do
    allow(change).to receive(:change?).and_return(false)
    expect(chef_run).not_to start_service('openstack-host-network')
    expect(chef_run).not_to create_file('/var/lib/openstack-host-network/state')
  end

  it 'forgets a change that was undone and is not wanted any more' do
    allow(change).to receive_messages(change?: false, undone?: true)
    expect(chef_run).to create_file('/var/lib/openstack-host-network/state').with(content: "none\n")
  end

  it 'does nothing without interfaces' do
    allow(change).to receive(:empty?).and_return(true)
    expect(chef_run).not_to create_directory('/var/lib/openstack-host-network')
  end

  it 'fails while another change waits for its confirmation' do
    allow(change).to receive(:underway?).and_return(true)
    expect { chef_run }.to raise_error(/another change waits/)
  end
end
