# frozen_string_literal: true

require_relative '../../../spec_helper'

RSpec.describe 'openstack-ha::controller' do
  include_context 'with a controller'

  let(:conf) { '/etc/keepalived/keepalived.conf' }

  before { allow_any_instance_of(Chef::Recipe).to receive(:openstack_runs?).with('openstack-database::controller').and_return(true) }

  # a node with the address 192.0.2.11, and one with a virtual address
  def chef_run(virtual: '192.0.2.9', members: 'one=192.0.2.10 two=192.0.2.11 three=192.0.2.12')
    ChefSpec::SoloRunner.new(platform: 'debian', version: '13') do |node|
      node.name('two')
      node.override['openstack']['address'] = '192.0.2.11'
      node.override['openstack']['ha'] = { 'address' => virtual, 'members' => members }
      node.automatic['network']['interfaces'] = { 'lo' => {}, 'eth1' => { 'addresses' => { '192.0.2.11' => {} } } }
    end.converge(described_recipe)
  end

  it 'shares the address with the others, and leaves it to the one that has it' do
    expect(chef_run).to render_file(conf).with_content(/nopreempt.*interface eth1/m).with_content("priority 149\n")
                                         .with_content("unicast_src_ip 192.0.2.11\n").with_content("    192.0.2.10\n    192.0.2.12\n  }")
                                         .with_content('192.0.2.9 dev eth1')
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
end
