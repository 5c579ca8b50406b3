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

  def with_ports(ports, added: '', fail_mode: '[]')
    stubs_for_current_value('openstack_ovs_bridge[br-ex]') do |current|
      allow(current).to receive_shell_out('ovs-vsctl', 'br-exists', 'br-ex')
      allow(current).to receive_shell_out('ovs-vsctl', 'get', 'Bridge', 'br-ex', 'datapath_type', stdout: "netdev\n")
      allow(current).to receive_shell_out('ovs-vsctl', 'get', 'Bridge', 'br-ex', 'fail_mode', stdout: "#{fail_mode}\n")
      allow(current).to receive_shell_out('ovs-vsctl', '--bare', '--columns=name', 'find', 'Port', mark, stdout: added)
      allow(current).to receive_shell_out('ovs-vsctl', 'list-ports', 'br-ex', stdout: ports)
    end
  end

  let(:mark) { 'external_ids:added-by=openstack_ovs_bridge' }

  def add(port)
    ['--', '--may-exist', 'add-port', 'br-ex', port, '--', 'set', 'Port', port, mark]
  end

  def expect_create(*commands, added: '')
    stubs_for_resource('openstack_ovs_bridge[br-ex]') do |resource|
      allow(resource).to receive_shell_out('ovs-vsctl', '--bare', '--columns=name', 'find', 'Port', mark, stdout: added)
    end
    stubs_for_provider('openstack_ovs_bridge[br-ex]') do |provider|
      expect(provider).to receive_shell_out(
        'ovs-vsctl', '--', '--may-exist', 'add-br', 'br-ex', '--', 'set', 'Bridge', 'br-ex', 'datapath_type=netdev', *commands
      )
      yield provider if block_given?
    end
  end

  it 'creates a missing bridge' do
    stubs_for_current_value('openstack_ovs_bridge[br-ex]') do |current|
      allow(current).to receive_shell_out('ovs-vsctl', 'br-exists', 'br-ex', exitstatus: 2)
    end
    expect_create(*add('eth1'))
    chef_run
  end

  it 'adds a missing port' do
    with_ports("eth2\n")
    expect_create(*add('eth1'))
    chef_run
  end

  it 'takes a port out of the bridge that had another name' do
    stubs_for_current_value('openstack_ovs_bridge[br-ex]') do |current|
      allow(current).to receive_shell_out('ovs-vsctl', 'br-exists', 'br-ex', exitstatus: 2)
    end
    expect_create('--', '--if-exists', 'del-port', 'eth1', *add('eth1'), added: "eth1\neth7\n")
    chef_run
  end

  it 'removes a port that it has added, and no other' do
    with_ports("eth0\neth2\n", added: "eth2\neth7\n\n")
    expect_create('--', '--if-exists', 'del-port', 'br-ex', 'eth2', *add('eth1'), added: "eth2\neth7\n")
    chef_run
  end

  it 'changes nothing if the bridge has the ports, and others' do
    with_ports("eth1\neth2\n")
    expect(chef_run.find_resource(:openstack_ovs_bridge, 'br-ex')).not_to be_updated_by_last_action
  end

  context 'without addresses' do
    recipe do
      openstack_ovs_bridge 'br-ex' do
        datapath_type 'netdev'
        ports %w(eth1 eth2)
        without_addresses true
      end
    end

    before { with_ports("eth1\n") }

    it 'changes nothing if the bridge has them' do
      with_ports("eth1\neth2\n")
      expect(chef_run.find_resource(:openstack_ovs_bridge, 'br-ex')).not_to be_updated_by_last_action
    end

    def eth2(addresses)
      stubs_for_provider('openstack_ovs_bridge[br-ex]') do |provider|
        allow(provider).to receive_shell_out('ip', '-oneline', 'address', 'show', 'dev', 'eth2', 'scope', 'global', stdout: addresses)
        yield provider if block_given?
      end
    end

    it 'adds ports that have none, and does not look at those that it has' do
      expect_create(*add('eth2')) do |provider|
        allow(provider).to receive_shell_out('ip', '-oneline', 'address', 'show', 'dev', 'eth2', 'scope', 'global', stdout: '')
      end
      chef_run
    end

    it 'looks at all ports of a new bridge' do
      stubs_for_current_value('openstack_ovs_bridge[br-ex]') do |current|
        allow(current).to receive_shell_out('ovs-vsctl', 'br-exists', 'br-ex', exitstatus: 2)
      end
      eth2('') do |provider|
        allow(provider).to receive_shell_out('ip', '-oneline', 'address', 'show', 'dev', 'eth1', 'scope', 'global',
                                             stdout: "2: eth1    inet 192.0.2.4/24 scope global eth1\n")
      end
      expect { chef_run }.to raise_error(/eth1 has the address 192\.0\.2\.4/)
    end

    it 'refuses a port by which the host is reached' do
      eth2("3: eth2    inet 192.0.2.5/24 brd 192.0.2.255 scope global eth2\\       valid_lft forever preferred_lft forever\n" \
           "3: eth2    inet6 2001:db8::5/64 scope global \\       valid_lft forever preferred_lft forever\n")
      expect { chef_run }.to raise_error(/eth2 has the address 192\.0\.2\.5 and 2001:db8::5, at which this host would no longer be reached/)
    end
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
      expect_create('--', 'set', 'Bridge', 'br-ex', 'fail_mode=secure')
      chef_run
    end
  end
end
