# frozen_string_literal: true

RSpec.describe 'openstack_firewall' do
  include_context 'with a controller'
  step_into :openstack_service, :openstack_firewall

  let(:loaded) { true }

  default_attributes['openstack']['firewall']['nodes'] = '192.0.2.10 192.0.2.11'
  default_attributes['openstack']['firewall']['also'] = %w(198.51.100.0/24)

  before do
    state = { 'LoadState' => 'loaded', 'InactiveExitTimestamp' => '', 'UnitFileState' => 'enabled', 'ActiveState' => 'active' }
    allow(OpenstackCommon::Systemd).to receive(:show_all) { |units| units.to_h { |unit| [unit, OpenstackCommon::Systemd.new(state)] } }
    allow(OpenstackCommon::Systemd).to receive(:listening).and_return([80, 3306, 5672])
    allow(OpenstackCommon::Firewall).to receive(:loaded?) do |ports, sources|
      @wanted = [ports, sources]
      loaded
    end
  end

  recipe do
    openstack_service('apache2') { ports [80] }
    openstack_service('mariadb') do
      ports [3306]
      internal_ports [3306]
      wait true
    end
    openstack_service('nova-compute') { internal_ports ['5900-6079'] }
  end

  it 'lets the nodes, and what an attribute lists, connect to the internal ports of all services' do
    expect(chef_run).to create_file('/etc/openstack-firewall.nft').with(content: OpenstackCommon::Firewall.render([3306, '5900-6079'], %w(192.0.2.10 192.0.2.11 198.51.100.0/24)))
    expect(@wanted).to eq([[3306, '5900-6079'], %w(192.0.2.10 192.0.2.11 198.51.100.0/24)])
  end

  it 'closes the ports before the first service starts' do
    order = chef_run.resource_collection.map(&:to_s)
    expect(order.index('openstack_firewall[internal services]')).to be < order.index('openstack_service[apache2]')
  end

  it 'does nothing if the table is loaded' do
    expect(chef_run).not_to run_execute('load the firewall')
  end

  it 'starts with the host, and is verified as all services are' do
    expect(chef_run).to start_openstack_service('openstack-firewall')
    expect(chef_run).to create_systemd_unit('openstack-firewall.service')
    expect(chef_run.node['openstack']['services']).to include('openstack-firewall')
  end

  context 'when another program has deleted the table' do
    let(:loaded) { false }

    it('loads it') { expect(chef_run).to run_execute('load the firewall') }
  end

  context 'without the attribute' do
    default_attributes['openstack']['firewall']['nodes'] = nil

    it 'searches for the nodes of the environment; a new one has no address yet' do
      rows = [{ 'address' => '192.0.2.11', 'ipaddress' => '203.0.113.11' }, { 'address' => nil, 'ipaddress' => '192.0.2.12' }, { 'address' => nil, 'ipaddress' => nil }]
      stub_search(:node, 'chef_environment:_default').and_return(rows)
      chef_run
      expect(@wanted.last).to eq(%w(192.0.2.10 192.0.2.11 192.0.2.12 198.51.100.0/24))
    end
  end

  context 'without a Chef server' do
    default_attributes['openstack']['firewall']['nodes'] = nil

    it 'leaves the firewall as it is, because it knows no other nodes' do
      allow(Chef::Config).to receive(:[]).and_call_original
      allow(Chef::Config).to receive(:[]).with(:local_mode).and_return(true)
      expect(chef_run).not_to create_file('/etc/openstack-firewall.nft')
    end
  end

  it 'keeps the ports of services whose recipes the run leaves out' do
    chef_runner.node.override_runlist('recipe[openstack-image::controller]')
    expect(chef_run).not_to create_file('/etc/openstack-firewall.nft')
    expect(chef_run).not_to create_openstack_firewall('internal services')
  end

  context 'when it is turned off' do
    default_attributes['openstack']['firewall']['enabled'] = false

    it 'is removed' do
      allow(File).to receive(:exist?).and_call_original
      allow(File).to receive(:exist?).with('/etc/systemd/system/openstack-firewall.service').and_return(true)
      expect(chef_run).to stop_systemd_unit('openstack-firewall.service')
      expect(chef_run).to delete_file('/etc/openstack-firewall.nft')
    end

    it 'changes nothing if it was never on' do
      expect(chef_run).not_to stop_systemd_unit('openstack-firewall.service')
    end
  end

  context 'without internal ports' do
    recipe { openstack_service('apache2') { ports [80] } }

    it('makes no table') { expect(chef_run).not_to create_file('/etc/openstack-firewall.nft') }
  end
end
