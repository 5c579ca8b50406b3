# frozen_string_literal: true

RSpec.describe 'openstack_ovs_bridge' do
  platform 'debian', '13'
  step_into :openstack_ovs_bridge

  recipe do
    openstack_ovs_bridge 'br-ex' do
      datapath_type 'netdev'
      ports %w(eth1)
    end
  end

  def create
    receive_shell_out('ovs-vsctl', '--', '--may-exist', 'add-br', 'br-ex', '--', 'set', 'Bridge', 'br-ex', 'datapath_type=netdev',
                      '--', '--may-exist', 'add-port', 'br-ex', 'eth1')
  end

  it 'makes a bridge that is missing' do
    stubs_for_current_value('openstack_ovs_bridge[br-ex]') do |current|
      allow(current).to receive_shell_out('ovs-vsctl', 'br-exists', 'br-ex', exitstatus: 2)
    end
    stubs_for_provider('openstack_ovs_bridge[br-ex]') { |provider| expect(provider).to create }
    chef_run
  end

  { 'leaves one alone that has its ports and others' => ["eth1\neth2\n", false],
    'adds a missing port' => ["eth2\n", true] }.each do |what, (ports, changed)|
    it what do
      stubs_for_current_value('openstack_ovs_bridge[br-ex]') do |current|
        allow(current).to receive_shell_out('ovs-vsctl', 'br-exists', 'br-ex')
        allow(current).to receive_shell_out('ovs-vsctl', 'get', 'Bridge', 'br-ex', 'datapath_type', stdout: "netdev\n")
        allow(current).to receive_shell_out('ovs-vsctl', 'list-ports', 'br-ex', stdout: ports)
      end
      stubs_for_provider('openstack_ovs_bridge[br-ex]') { |provider| changed ? expect(provider).to(create) : expect(provider).not_to(create) }
      chef_run
    end
  end
end
