# frozen_string_literal: true

RSpec.describe 'openstack_ceph_monitor' do
  include_context 'with a controller'
  step_into :openstack_ceph_monitor

  recipe do
    openstack_ceph_monitor 'one' do
      addresses '[v2:192.0.2.10:3300]'
      fsid 'FSID'
      keyrings %w(/keys)
      peers node['test']['peers'].map { |name| OpenstackCommon::Members::Member.new(name, "192.0.2.#{name.length}") }
      known node['test']['known']
      creates node['test']['creates']
      patience 0
    end
  end

  default_attributes['test'] = { 'peers' => %w(two), 'known' => [], 'creates' => true }

  let(:cluster) { instance_double(OpenstackCeph::Cluster, in_quorum?: false, save_monitors: nil) }
  let(:listening) { false }
  let(:ran) { [] }

  before do
    allow(OpenstackCeph::Cluster).to receive(:new).and_return(cluster)
    allow(Socket).to receive(:tcp) { listening ? instance_double(Socket, close: nil) : raise(Errno::ECONNREFUSED) }
    allow(FileUtils).to receive_messages(rm: nil, rm_rf: nil, chown_R: nil)
    allow(File).to receive(:rename).and_call_original
    allow(File).to receive(:rename).with('/var/lib/ceph/mon/ceph-one.new', '/var/lib/ceph/mon/ceph-one')
    allow_any_instance_of(Chef::Provider).to receive(:shell_out!) { |_, *argv, **| ran << argv.first(2).join(' ') }
  end

  it 'creates the cluster if no other node has one' do
    chef_run
    expect(ran).to eq(['monmaptool --create', 'ceph-authtool --create-keyring', 'ceph-authtool /var/lib/ceph/mon/ceph-one.keyring', 'ceph-mon --mkfs'])
  end

  context 'when another node has one' do
    let(:listening) { true }

    it 'joins that' do
      chef_run
      expect(cluster).to have_received(:save_monitors).with('/var/lib/ceph/mon/ceph-one.map')
      expect(ran.join).not_to include('monmaptool')
    end

    context 'which does not let it in' do
      before { allow(cluster).to receive(:in_quorum?).and_raise(OpenstackCeph::Cluster::Error, 'permission denied') }

      it 'says why, and creates none' do
        expect { chef_run }.to raise_error(/monitors of two do not let this node join \(permission denied\)/)
        expect(ran).to be_empty
      end
    end
  end

  context 'when another node had one, and does not respond' do
    default_attributes['test']['known'] = %w(two)

    it 'does not create a second one' do
      expect { chef_run }.to raise_error(/two has been in the Ceph cluster, but cannot be reached/)
      expect(ran).to be_empty
    end
  end

  context 'when another node is to create it' do
    default_attributes['test']['creates'] = false

    it 'waits for that one' do
      expect { chef_run }.to raise_error(/converge two first, which creates it/)
      expect(ran).to be_empty
    end
  end
end

RSpec.describe 'openstack_ceph_osd' do
  include_context 'with a controller'
  step_into :openstack_ceph_osd

  recipe do
    openstack_ceph_osd 'one'
  end

  let(:cluster) { instance_double(OpenstackCeph::Cluster, hosts: hosts, destroy_osd: nil, new_osd: 4, osd_up?: true) }
  let(:hosts) { { 'two' => [0] } }
  let(:files) { {} }
  let(:existing) { [] }

  before do
    allow(OpenstackCeph::Cluster).to receive(:new).and_return(cluster)
    allow(FileUtils).to receive_messages(rm: nil, mkdir_p: nil, chown_R: nil)
    allow(Dir).to receive(:[]).and_call_original
    allow(Dir).to receive(:[]).with('/var/lib/ceph/osd/ceph-*/whoami').and_return(existing, %w(/var/lib/ceph/osd/ceph-4/whoami))
    allow(File).to receive(:size?).and_call_original
    allow(File).to receive(:write).and_call_original
    allow(File).to receive(:read).and_call_original
    allow(File).to receive(:rename).and_call_original
    allow(File).to receive(:size?).with(%r{\A/var/lib/ceph/osd/new/}) { |path| files[path]&.length }
    allow(File).to receive(:write).with(%r{\A/var/lib/ceph/osd/new/}, any_args) { |path, text, **| files[path] = text }
    allow(File).to receive(:read).with(%r{\A/var/lib/ceph/osd/new/}) { |path| files.fetch(path) }
    allow(File).to receive(:rename).with('/var/lib/ceph/osd/new', '/var/lib/ceph/osd/ceph-4')
    allow_any_instance_of(Chef::Provider).to receive(:shell_out!)
  end

  it 'creates one, and starts it under the ID that the cluster has given it' do
    expect(chef_run).to start_openstack_service('ceph-osd@4').with(internal_ports: ['6800-7300'])
    expect(cluster).to have_received(:new_osd).with(/\A[0-9a-f-]{36}\z/, /\A\S{40}\z/, nil)
    expect(cluster).not_to have_received(:destroy_osd)
    expect(files['/var/lib/ceph/osd/new/keyring']).to start_with('[osd.4]')
  end

  context 'when the one of this host was lost' do
    let(:hosts) { { 'one' => [4], 'two' => [0] } }

    it 'replaces it' do
      chef_run
      expect(cluster).to have_received(:destroy_osd).with(4)
      expect(cluster).to have_received(:new_osd).with(anything, anything, 4)
    end
  end

  context 'when an earlier run was interrupted' do
    let(:files) { { '/var/lib/ceph/osd/new/uuid' => 'UUID', '/var/lib/ceph/osd/new/key' => 'KEY' } }

    it 'continues with the same OSD' do
      chef_run
      expect(cluster).to have_received(:new_osd).with('UUID', 'KEY', nil)
    end
  end

  it 'keeps what the next try needs until it is complete' do
    allow(File).to receive(:rename).with('/var/lib/ceph/osd/new', '/var/lib/ceph/osd/ceph-4').and_raise(Errno::EIO)
    expect { chef_run }.to raise_error(Errno::EIO)
    expect(FileUtils).not_to have_received(:rm)
  end

  context 'with one' do
    let(:existing) { %w(/var/lib/ceph/osd/ceph-4/whoami) }

    it 'leaves it alone' do
      expect(chef_run).to start_openstack_service('ceph-osd@4')
      expect(cluster).not_to have_received(:new_osd)
    end
  end
end
