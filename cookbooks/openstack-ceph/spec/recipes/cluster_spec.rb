# frozen_string_literal: true

RSpec.describe 'openstack-ceph::cluster' do
  include_context 'with a controller'

  let(:chef_run) { chef_runner.converge(described_recipe) }
  let(:conf) { chef_run.find_resource(:openstack_config, '/etc/ceph/ceph.conf') }

  let(:in_place) { true }

  automatic_attributes['hostname'] = 'one'

  before { stub_command(/extract-monmap .* grep --fixed-strings '\[v2:192\.0\.2\.10:3300/m).and_return(in_place) }

  it 'listens on the address of the node, and everyone may read how to reach it' do
    expect(conf).to have_attributes(mode: '0644', defaults: include('global' => include('mon_host' => '192.0.2.10')))
    %w(mgr osd).each { |daemon| expect(conf.defaults[daemon]).to include('public_addr' => '192.0.2.10', 'cluster_addr' => '192.0.2.10') }
  end

  it 'stores data once' do
    expect(conf.defaults['global']).to include('osd_pool_default_size' => 1, 'mon_allow_pool_size_one' => true)
  end

  it 'creates each daemon only once' do
    { 'monitor' => 'mon/ceph-one', 'manager' => 'mgr/ceph-one', 'OSD' => 'osd/ceph-0' }.each do |what, directory|
      expect(chef_run).to run_execute("create the Ceph #{what}").with(creates: "/var/lib/ceph/#{directory}")
    end
  end

  it 'leaves a monitor where it is' do
    expect(chef_run).not_to run_execute('move the Ceph monitor to the new address of its node')
  end

  context 'with a monitor that has another address' do
    let(:in_place) { false }

    it 'gives it the address of the node' do
      expect(chef_run).to run_execute('move the Ceph monitor to the new address of its node')
        .with(command: include("--addv one '[v2:192.0.2.10:3300,v1:192.0.2.10:6789]'"))
    end
  end

  it 'waits for the monitor before it uses it' do
    expect(chef_run).to start_openstack_service('ceph-mon@one').with(ports: [3300, 6789], wait: true)
  end

  it 'does not run the collector of crash reports, which nothing accepts' do
    expect(chef_run).to stop_service('ceph-crash')
    expect(chef_run).to disable_service('ceph-crash')
  end

  it 'creates the pools, and users that may use only theirs' do
    %w(volumes images backups).each { |pool| expect(chef_run).to create_openstack_ceph_pool(pool) }
    expect(chef_run).to create_openstack_ceph_user('client.glance')
      .with(caps: { 'mon' => 'profile rbd', 'mgr' => 'profile rbd pool=images', 'osd' => 'profile rbd pool=images' })
    expect(chef_run).to create_openstack_ceph_user('client.cinder')
      .with(caps: include('osd' => 'profile rbd pool=volumes, profile rbd pool=backups, profile rbd-read-only pool=images'))
  end

  context 'with an existing cluster' do
    default_attributes['openstack']['ceph']['mon_hosts'] = %w(192.0.2.20)

    it 'refuses to create another one' do
      expect { chef_run }.to raise_error(/names an existing Ceph cluster/)
    end
  end
end
