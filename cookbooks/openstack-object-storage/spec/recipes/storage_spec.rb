# frozen_string_literal: true

require_relative '../fake_ring_builder'

RSpec.describe 'openstack-object-storage::storage' do
  include_context 'with a controller'
  step_into :openstack_config

  let(:ring) { FakeRingBuilder.ring([{ 'id' => 0, 'ip' => '192.0.2.2', 'weight' => 1.0 }, { 'id' => 1, 'ip' => '192.0.2.1', 'weight' => 1.0 }]) }
  let(:proxies) do
    saved = %w(account container object).to_h { |name| [name, Base64.strict_encode64(ring)] }
    [Chef::Node.new.tap { |node| node.default['openstack']['object_storage']['rings'] = saved }]
  end

  before do
    stub_search(:node, 'recipes:openstack-object-storage\:\:proxy AND chef_environment:_default').and_return(proxies)
    allow(OpenstackObjectStorage::Ring).to receive(:read).and_return(OpenstackObjectStorage::Ring.new(ring))
  end

  it 'installs the rings of the proxy\'s node' do
    %w(account container object).each { |name| expect(chef_run).to install_openstack_swift_ring(name) }
    expect(chef_run.openstack_swift_ring('object').copies.map(&:bytes)).to eq([ring])
  end

  context 'with the proxy on the same node' do
    default_attributes['openstack']['endpoints']['internal']['object_storage']['host'] = '192.0.2.10'

    before do
      allow_any_instance_of(Chef::Node).to receive(:recipe?) { |_, recipe| recipe == 'openstack-object-storage::proxy' }
      stub_search(:node, /\Achef_environment/).and_return([])
    end

    it 'builds the rings' do
      expect(chef_run).to build_openstack_swift_ring('object')
      expect(chef_run).not_to install_openstack_swift_ring('object')
    end
  end

  it 'stores in a plain directory' do
    expect(chef_run).to create_directory('/srv/node/d1')
    expect(chef_run).to create_directory('/srv/node/d1 of swift').with(path: '/srv/node/d1', owner: 'swift', mode: '0750')
    expect(chef_run).to render_file('/etc/swift/object-server.conf').with_content(/^mount_check = false$/)
  end

  it 'replicates with rsync, which only nodes of the ring may use' do
    expect(chef_run).to render_file('/etc/rsyncd.conf').with_content(/^address = 192\.0\.2\.10$/).with_content(/^hosts allow = 192\.0\.2\.1 192\.0\.2\.2$/)
    expect(chef_run).to start_openstack_service('rsync').with(ports: [873])
  end

  it 'runs all servers and their daemons' do
    { 'account' => 6202, 'container' => 6201, 'object' => 6200 }.each do |name, port|
      expect(chef_run).to start_openstack_service("swift-#{name}").with(ports: [port])
      expect(chef_run).to render_file("/etc/swift/#{name}-server.conf").with_content(/^bind_ip = 192\.0\.2\.10$/).with_content(/^bind_port = #{port}$/)
    end
    expect(chef_run).to start_openstack_service('swift-account-reaper').with(config: include('/etc/swift/account-server.conf'))
    expect(chef_run).to start_openstack_service('swift-object-replicator')
    expect(chef_run).to disable_service('swift-object-reconstructor')
  end

  it 'leaves the CPU to others' do
    { 'container' => 'container-updater', 'object' => 'object-auditor' }.each do |server, daemon|
      expect(chef_run).to render_file("/etc/swift/#{server}-server.conf").with_content(/^\[#{daemon}\]\ninterval = 1800$/)
    end
  end

  context 'with disks' do
    default_attributes['openstack']['object_storage']['devices'] = { 'sdb' => { 'device' => '/dev/sdb' } }

    let(:blkid) { 2 }

    before { stubs_for_resource('execute[mkfs.xfs /dev/sdb]') { |resource| allow(resource).to receive_shell_out('blkid', '-p', '/dev/sdb', exitstatus: blkid) } }

    it 'formats an empty one, mounts it, and stores only when it is mounted' do
      expect(chef_run).to run_execute('mkfs.xfs /dev/sdb').with(command: %w(mkfs.xfs /dev/sdb))
      expect(chef_run).to mount_mount('/srv/node/sdb').with(device: '/dev/sdb', fstype: 'xfs')
      expect(chef_run).to enable_mount('/srv/node/sdb')
      expect(chef_run).to render_file('/etc/swift/object-server.conf').with_content(/^mount_check = true$/)
      expect(chef_run).to install_openstack_packages('swift-storage').with(packages: include('xfsprogs'))
    end

    context 'with something on them' do
      let(:blkid) { 0 }

      it 'does not format them' do
        expect(chef_run).not_to run_execute('mkfs.xfs /dev/sdb')
      end
    end
  end

  context 'with a name that rings can not have' do
    default_attributes['openstack']['object_storage']['devices'] = { 'sd_b' => {} }

    it 'says which' do
      expect { chef_run }.to raise_error(/devices: "sd_b" is not a valid name; use letters/)
    end
  end
end
