# frozen_string_literal: true

require_relative '../../libraries/ovsdb'

RSpec.describe 'openstack_ovn_connection' do
  platform 'debian', '13'
  step_into :openstack_ovn_connection

  recipe do
    openstack_ovn_connection 'sb' do
      target 'ptcp:6642:192.0.2.10'
    end
  end

  def with_connections(rows)
    json = %({"headings":["target","inactivity_probe"],"data":#{rows}})
    stubs_for_current_value('openstack_ovn_connection[sb]') do |current|
      allow(current).to receive_shell_out('ovn-sbctl', '--format=json', '--columns=target,inactivity_probe', 'list', 'Connection', stdout: json)
    end
  end

  def set
    receive_shell_out('ovn-sbctl', 'set-connection', 'ptcp:6642:192.0.2.10', '--', 'set', 'Connection', '.', 'inactivity_probe=60000')
  end

  before { allow(OpenstackNetwork::Ovsdb).to receive(:wait_for).with('/run/ovn/ovnsb_db.sock') }

  { 'sets the first one' => '[]',
    'sets another target' => '[["ptcp:6642:192.0.2.9",60000]]',
    'sets a missing probe' => '[["ptcp:6642:192.0.2.10",["set",[]]]]' }.each do |what, rows|
    it what do
      with_connections(rows)
      stubs_for_provider('openstack_ovn_connection[sb]') { |provider| expect(provider).to set }
      chef_run
    end
  end

  it 'changes nothing if the connection is up to date' do
    with_connections('[["ptcp:6642:192.0.2.10",60000]]')
    expect(chef_run.find_resource(:openstack_ovn_connection, 'sb')).not_to be_updated_by_last_action
  end
end
