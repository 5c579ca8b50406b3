# frozen_string_literal: true

RSpec.describe 'openstack_ovs_settings' do
  platform 'debian', '13'
  step_into :openstack_ovs_settings

  let(:record) do
    '{"headings":["external_ids","other_config"],' \
      '"data":[[["map",[["hostname","c1"],["system-id","c1"]]],["map",[["userspace-tso-enable","true"]]]]]}'
  end

  before do
    stubs_for_current_value('openstack_ovs_settings[local]') do |current|
      allow(current).to receive_shell_out('ovs-vsctl', '--format=json', '--columns=external_ids,other_config', 'list', 'Open_vSwitch', stdout: record)
      allow(current).to receive_shell_out('ovs-vsctl', 'get-manager', stdout: "ptcp:6640:127.0.0.1\n")
    end
  end

  context 'when the values are set already' do
    recipe do
      openstack_ovs_settings 'local' do
        external_ids 'system-id' => 'c1'
        other_config 'userspace-tso-enable' => true
        manager 'ptcp:6640:127.0.0.1'
      end
    end

    it 'changes nothing' do
      expect(chef_run.find_resource(:openstack_ovs_settings, 'local')).not_to be_updated_by_last_action
    end
  end

  context 'with other values' do
    recipe do
      openstack_ovs_settings 'local' do
        external_ids 'system-id' => 'c2', 'ovn-encap-type' => 'geneve'
      end
    end

    it 'sets only the listed keys' do
      stubs_for_provider('openstack_ovs_settings[local]') do |provider|
        expect(provider).to receive_shell_out('ovs-vsctl', 'set', 'Open_vSwitch', '.', 'external_ids:system-id="c2"', 'external_ids:ovn-encap-type="geneve"')
      end
      chef_run
    end
  end

  context 'with a key to remove' do
    recipe do
      openstack_ovs_settings 'local' do
        external_ids 'system-id' => 'c1', 'hostname' => nil, 'ovn-cms-options' => nil
      end
    end

    it 'removes it' do
      stubs_for_provider('openstack_ovs_settings[local]') do |provider|
        allow(provider).to receive_shell_out('ovs-vsctl', 'set', 'Open_vSwitch', '.', 'external_ids:system-id="c1"')
        expect(provider).to receive_shell_out('ovs-vsctl', 'remove', 'Open_vSwitch', '.', 'external_ids', 'hostname', 'ovn-cms-options')
      end
      chef_run
    end
  end

  context 'with a key to remove that is not there' do
    recipe do
      openstack_ovs_settings 'local' do
        external_ids 'ovn-cms-options' => nil
      end
    end

    it 'changes nothing' do
      expect(chef_run.find_resource(:openstack_ovs_settings, 'local')).not_to be_updated_by_last_action
    end
  end

  context 'with another manager' do
    recipe do
      openstack_ovs_settings 'local' do
        manager 'ptcp:6641:127.0.0.1'
      end
    end

    it 'sets the manager' do
      stubs_for_provider('openstack_ovs_settings[local]') do |provider|
        expect(provider).to receive_shell_out('ovs-vsctl', 'set-manager', 'ptcp:6641:127.0.0.1')
      end
      chef_run
    end
  end
end
