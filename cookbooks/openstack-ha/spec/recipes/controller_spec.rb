# frozen_string_literal: true

require_relative '../../../spec_helper'

RSpec.describe 'openstack-ha::controller' do
  include_context 'with a controller'

  let(:conf) { '/etc/keepalived/keepalived.conf' }

  before { allow_any_instance_of(Chef::Recipe).to receive(:openstack_runs?).with('openstack-database::controller').and_return(true) }

  # the second one of three controllers
  def chef_run(virtual: '192.0.2.9', members: 'one=192.0.2.10 two=192.0.2.11 three=192.0.2.12', address: '192.0.2.11', daemon: 'keepalived', interface: 'eth1')
    ChefSpec::SoloRunner.new(platform: 'debian', version: '13') do |node|
      node.name('two')
      node.override['openstack']['address'] = address
      node.override['openstack']['ha'] = { 'address' => virtual, 'members' => members, 'daemon' => daemon }
      node.automatic['network']['interfaces'] = { 'lo' => {}, interface => { 'addresses' => { address => {} } } }
    end.converge(described_recipe)
  end

  it 'shares the address with the others, and leaves it to the one that has it' do
    expect(chef_run).to render_file(conf).with_content(/nopreempt.*interface eth1/m).with_content("priority 149\n")
                                         .with_content("unicast_src_ip 192.0.2.11\n").with_content("    192.0.2.10\n    192.0.2.12\n  }")
                                         .with_content('192.0.2.9 dev eth1')
  end

  it 'knows the interface of an address with a label' do
    expect(chef_run(interface: 'eth1:0')).to render_file(conf).with_content("  interface eth1\n").with_content('192.0.2.9 dev eth1')
  end

  it 'lets HAProxy listen at an address that the node does not have' do
    allow(File).to receive(:read).and_call_original
    allow(File).to receive(:read).with('/proc/sys/net/ipv4/ip_nonlocal_bind').and_return("0\n")
    expect(chef_run).to run_execute('sysctl ip_nonlocal_bind').with(command: %w(sysctl --write net.ipv4.ip_nonlocal_bind=1))
    expect(chef_run).to render_file('/etc/sysctl.d/60-openstack-ha.conf').with_content("net.ipv4.ip_nonlocal_bind = 1\n")
    expect(chef_run).to create_openstack_frontends('public').with(services: %w(db))
  end

  it 'reloads keepalived, which keeps the address, if its configuration changes' do
    expect(chef_run).to start_openstack_service('keepalived').with(config: [conf], reload: true)
  end

  it 'says what is missing' do
    expect { chef_run(virtual: nil) }.to raise_error(/openstack.ha.address is not set/)
    expect { chef_run(members: 'one=192.0.2.10') }.to raise_error(/openstack.ha.members has no two, only one/)
  end

  it 'rejects an address that cannot be virtual' do
    expect { chef_run(virtual: '192.0.2.11') }.to raise_error(/192.0.2.11 is the address of this node/)
    expect { chef_run(virtual: '2001:db8::9') }.to raise_error(/both be IPv4, or both IPv6/)
    expect { chef_run(virtual: 'cloud.example.com') }.to raise_error(/must be IP addresses/)
  end

  it 'knows two daemons' do
    expect { chef_run(daemon: 'heartbeat') }.to raise_error(/openstack.ha.daemon: "heartbeat" is none of keepalived, ucarp/)
  end

  context 'with UCARP' do
    let(:unit) { 'openstack-ucarp.service' }
    let(:ucarp) { chef_run(daemon: 'ucarp') }
    let(:content) { ucarp.systemd_unit(unit).content }

    it 'shares the address with the others, in the order of the manifest' do
      expect(ucarp).to install_openstack_packages('ucarp')
      expect(ucarp).to create_systemd_unit(unit)
      expect(content[:Service][:ExecStart]).to start_with('/usr/sbin/ucarp --interface=eth1 --srcip=192.0.2.11 --addr=192.0.2.9 ')
        .and include(' --advbase=1 --advskew=25 --deadratio=3 ').and end_with(' --shutdown')
      expect(content[:Service][:ExecStart]).not_to include('preempt')
      expect(ucarp).to start_openstack_service('openstack-ucarp').with(config: %w(/etc/systemd/system/openstack-ucarp.service /etc/ucarp/password))
    end

    it 'has the same ID on all controllers, from 1 to 255' do
      ids = %w(10.0.112.8 10.0.112.9 10.0.112.254 10.0.0.0 255.255.255.255).map { |address| OpenstackHa::Ucarp.vhid(address) }
      expect(ids.uniq).to eq(ids)
      expect(ids).to all(be_between(1, 255))
    end

    it 'gives the address away with HAProxy' do
      expect(content[:Unit]).to include(BindsTo: 'haproxy.service', After: /haproxy.service/)
      expect(content[:Install]).to eq(WantedBy: 'haproxy.service')
    end

    it 'adds the address, and removes it even after a crash' do
      expect(ucarp).to render_file('/etc/ucarp/up').with_content('ip address replace "$2/32" dev "$1"')
      expect(ucarp).to render_file('/etc/ucarp/down').with_content('ip address flush dev "$1" to "$2/32"')
      expect(content[:Service][:ExecStopPost]).to eq('/etc/ucarp/down eth1 192.0.2.9')
    end

    it 'has a password that only root can read, no longer than UCARP accepts' do
      expect(ucarp).to create_file('/etc/ucarp/password').with(mode: '0600', sensitive: true, content: "secrets-ucarp-passw\n")
      expect(content.to_s).to include('--passfile=/etc/ucarp/password').and(satisfy { |text| !text.include?('secrets-ucarp') })
    end

    it 'says that it cannot move IPv6 addresses' do
      expect { chef_run(daemon: 'ucarp', virtual: '2001:db8::9', address: '2001:db8::11') }
        .to raise_error(/ucarp moves IPv4 addresses only, not 2001:db8::9; use keepalived/)
    end
  end

  it 'stops the other daemon, which gives the address away, before it starts one' do
    allow(File).to receive(:exist?).and_call_original
    allow(File).to receive(:exist?).with('/etc/systemd/system/openstack-ucarp.service').and_return(true)
    allow(Dir).to receive(:empty?).and_call_original
    allow(Dir).to receive(:empty?).with('/etc/ucarp').and_return(true)
    back = chef_run
    expect(back.service('openstack-ucarp').performed_actions).to eq(%i(stop disable))
    %w(up down password).each { |name| expect(back).to delete_file("/etc/ucarp/#{name}").with(backup: false) }
    expect(back).to delete_directory('/etc/ucarp').with(recursive: false)
    expect(back).to delete_systemd_unit('openstack-ucarp.service')
    expect(order(back, 'service[openstack-ucarp]', 'openstack_service[keepalived]')).to eq(%w(service openstack_service))

    ucarp = chef_run(daemon: 'ucarp')
    expect(ucarp.service('keepalived').performed_actions).to eq(%i(stop disable))
    expect(ucarp).not_to start_openstack_service('keepalived')
    expect(order(ucarp, 'service[keepalived]', 'openstack_service[openstack-ucarp]')).to eq(%w(service openstack_service))
  end

  it "leaves an administrator's keepalived alone" do
    { "vrrp_instance office {\n" => false, "# Written by Chef (openstack-ha).\nglobal_defs {\n" => true }.each do |text, ours|
      allow(File).to receive(:exist?).and_call_original
      allow(File).to receive(:exist?).with(conf).and_return(true)
      allow(File).to receive(:read).and_call_original
      allow(File).to receive(:read).with(conf).and_return(text)
      expect(chef_run(daemon: 'ucarp').service('keepalived').performed_actions).to eq(ours ? %i(stop disable) : [])
    end
  end

  it "leaves an administrator's files of UCARP alone" do
    expect(chef_run.resource_collection.map(&:to_s).grep(/ucarp/i)).to eq([])
  end

  # @return [Array<String>] the types of these resources, in the order in which they run
  def order(run, *names)
    run.resource_collection.map(&:to_s).select { |name| names.include?(name) }.map { |name| name[/\w+/] }
  end
end
