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

  def with_ports(ports, fail_mode: '[]')
    stubs_for_current_value('openstack_ovs_bridge[br-ex]') do |current|
      allow(current).to receive_shell_out('ovs-vsctl', 'br-exists', 'br-ex')
      allow(current).to receive_shell_out('ovs-vsctl', 'get', 'Bridge', 'br-ex', 'datapath_type', stdout: "netdev\n")
      allow(current).to receive_shell_out('ovs-vsctl', 'get', 'Bridge', 'br-ex', 'fail_mode', stdout: "#{fail_mode}\n")
      allow(current).to receive_shell_out('ovs-vsctl', 'list-ports', 'br-ex', stdout: ports)
    end
  end

  def expect_create
    stubs_for_provider('openstack_ovs_bridge[br-ex]') do |provider|
      expect(provider).to receive_shell_out(
        'ovs-vsctl', '--', '--may-exist', 'add-br', 'br-ex', '--', 'set', 'Bridge', 'br-ex', 'datapath_type=netdev',
        '--', '--may-exist', 'add-port', 'br-ex', 'eth1'
      )
    end
  end

  it 'creates a missing bridge' do
    stubs_for_current_value('openstack_ovs_bridge[br-ex]') do |current|
      allow(current).to receive_shell_out('ovs-vsctl', 'br-exists', 'br-ex', exitstatus: 2)
    end
    expect_create
    chef_run
  end

  it 'adds a missing port' do
    with_ports("eth2\n")
    expect_create
    chef_run
  end

  it 'changes nothing if the bridge has the ports, and others' do
    with_ports("eth1\neth2\n")
    expect(chef_run.find_resource(:openstack_ovs_bridge, 'br-ex')).not_to be_updated_by_last_action
  end

  context 'with a fail mode' do
    recipe do
      openstack_ovs_bridge 'br-ex' do
        datapath_type 'netdev'
        fail_mode 'secure'
      end
    end

    it 'changes nothing if the bridge has it' do
      with_ports('', fail_mode: 'secure')
      expect(chef_run.find_resource(:openstack_ovs_bridge, 'br-ex')).not_to be_updated_by_last_action
    end

    it 'sets it' do
      with_ports('')
      stubs_for_provider('openstack_ovs_bridge[br-ex]') do |provider|
        expect(provider).to receive_shell_out(
          'ovs-vsctl', '--', '--may-exist', 'add-br', 'br-ex', '--', 'set', 'Bridge', 'br-ex', 'datapath_type=netdev',
          '--', 'set', 'Bridge', 'br-ex', 'fail_mode=secure'
        )
      end
      chef_run
    end
  end
end
