# frozen_string_literal: true

RSpec.describe 'openstack-ceph::cluster' do
  include_context 'with a controller'

  let(:chef_run) { chef_runner.converge(described_recipe) }
  let(:conf) { chef_run.find_resource(:openstack_config, '/etc/ceph/ceph.conf') }

  let(:in_place) { true }
  let(:made) { {} } # files of an earlier run

  automatic_attributes['hostname'] = 'one'

  before do
    allow(Dir).to receive(:exist?).and_call_original
    allow(File).to receive(:exist?).and_call_original
    allow(File).to receive(:read).and_call_original
    allow(Dir).to receive(:exist?).with('/var/lib/ceph/mon/ceph-one').and_return(made.any?)
    allow(File).to receive(:exist?).with('/etc/ceph/ceph.mon.keyring') { made.key?('/etc/ceph/ceph.mon.keyring') }
    allow(File).to receive(:read).with('/var/lib/ceph/mon/ceph-one/keyring') { made.fetch('keyring', common_key) }
  end

  let(:common_key) { "[mon.]\n\tkey = #{OpenstackCommon::Ceph.key('ceph_keys-mon-password')}\n" }

  before { stub_command(/extract-monmap .* grep --fixed-strings 'v2:192\.0\.2\.10:3300/m).and_return(in_place) }

  it 'listens on the address of the node, and everyone may read how to reach it' do
    expect(conf).to have_attributes(mode: '0644', defaults: include('global' => include('mon_host' => '192.0.2.10')))
    %w(mgr osd).each { |daemon| expect(conf.defaults[daemon]).to include('public_addr' => '192.0.2.10', 'cluster_addr' => '192.0.2.10') }
  end

  it 'stores data once' do
    expect(conf.defaults['global']).to include('osd_pool_default_size' => 1, 'mon_allow_pool_size_one' => true)
  end

  it 'creates each daemon only once' do
    expect(chef_run).to create_openstack_ceph_monitor('one')
    expect(chef_run).to run_execute('create the Ceph manager').with(creates: '/var/lib/ceph/mgr/ceph-one')
    expect(chef_run).to start_openstack_ceph_osd('one')
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

  it 'writes keys that only root can read' do
    %w(ceph.mon.keyring ceph.client.admin.keyring).each do |name|
      expect(chef_run).to create_file("/etc/ceph/#{name}").with(mode: '0600', sensitive: true)
    end
    expect(chef_run).not_to run_execute('give the Ceph cluster the common keys')
  end

  context 'with a cluster that has keys of its own' do
    let(:made) { { 'keyring' => "[mon.]\n\tkey = OWN\n" } }

    it 'leaves them alone' do
      expect(chef_run).not_to create_file('/etc/ceph/ceph.client.admin.keyring')
      expect(chef_run).not_to run_execute('give the Ceph cluster the common keys')
    end
  end

  context 'with several nodes' do
    default_attributes['openstack']['ceph']['members'] = 'Fauxhai=192.0.2.10 two=192.0.2.11 three=192.0.2.12'

    before { allow_any_instance_of(Chef::Node).to receive(:name).and_return('Fauxhai') }

    it 'creates the cluster on the first one, which asks the others before' do
      expect(chef_run).to create_openstack_ceph_monitor('one').with(creates: true, known: [])
      expect(chef_run.find_resources(:openstack_ceph_monitor).first.peers.map(&:address)).to eq(%w(192.0.2.11 192.0.2.12))
    end

    it 'names all monitors, and stores data three times' do
      expect(conf.defaults['global']).to include('mon_host' => '192.0.2.10,192.0.2.11,192.0.2.12', 'osd_heartbeat_grace' => 6, 'mon_election_timeout' => 3, 'osd_pool_default_size' => 3)
      expect(conf.defaults['global']).not_to include('osd_crush_chooseleaf_type')
      %w(.mgr volumes images backups).each { |pool| expect(chef_run).to replicate_openstack_ceph_pool(pool) }
    end

    context 'when this node had a cluster of its own' do
      let(:made) { { 'keyring' => "[mon.]\n\tkey = OWN\n" } }

      it 'gives it the keys that others can have' do
        expect(chef_run).to create_file('/etc/ceph/ceph.client.admin.keyring')
        expect(chef_run).to run_execute('give the Ceph cluster the common keys')
      end
    end

    context 'with TLS everywhere' do
      default_attributes['openstack']['tls']['mode'] = 'all'

      it 'uses only the protocol that encrypts' do
        expect(conf.defaults['global']).to include(
          'ms_client_mode' => 'secure', 'ms_cluster_mode' => 'secure', 'ms_bind_msgr1' => false,
          'mon_host' => '[v2:192.0.2.10:3300],[v2:192.0.2.11:3300],[v2:192.0.2.12:3300]'
        )
        expect(chef_run).to start_openstack_service('ceph-mon@one').with(ports: [3300])
        expect(chef_run).to join_openstack_ceph_monitor('join with one').with(addresses: '[v2:192.0.2.10:3300]')
      end
    end
  end

  context 'with an existing cluster' do
    default_attributes['openstack']['ceph']['mon_hosts'] = %w(192.0.2.20)

    it 'refuses to create another one' do
      expect { chef_run }.to raise_error(/names an existing Ceph cluster/)
    end
  end
end
