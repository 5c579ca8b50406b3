# frozen_string_literal: true

require_relative '../fake_ring_builder'

RSpec.describe 'openstack-object-storage::proxy' do
  include_context 'with a controller'
  step_into :openstack_config
  default_attributes['openstack']['endpoints']['internal']['object_storage']['host'] = '192.0.2.10'

  let(:storage) { [] }

  before do
    stub_search(:node, /\A\(recipes:openstack-object-storage\\:\\:storage OR run_list:recipe\\\[.* OR run_list:role.*\) AND chef_environment:_default\z/).and_return(storage)
  end

  it 'builds a ring for each server' do
    %w(account container object).each { |name| expect(chef_run).to build_openstack_swift_ring(name) }
  end

  context 'with storage nodes' do
    def storage_node(name, **openstack)
      Chef::Node.new.tap do |node|
        node.name(name)
        node.run_list('recipe[openstack-object-storage::storage]')
        node.normal['openstack'] = openstack
      end
    end

    let(:ring) { FakeRingBuilder.ring([{ 'id' => 0, 'weight' => 100.0 }]) }
    let(:storage) do
      [
        storage_node('storage2', address: '192.0.2.2', object_storage: { zone: 2, devices: { sdb: { device: '/dev/sdb', weight: 50 } } }),
        storage_node('storage1', address: '192.0.2.1', object_storage: { rings: { object: Base64.strict_encode64(ring) } }),
        storage_node('new'), # it has no address before its first converge
        storage_node('former', address: '192.0.2.9').tap { |node| node.run_list.reset!('recipe[other]') },
      ]
    end

    it 'puts their devices into the rings, also before they have converged' do
      common = { 'port' => 6200, 'region' => 1 }
      expect(chef_run.openstack_swift_ring('object').devices).to contain_exactly(
        { 'node' => 'storage1', 'ip' => '192.0.2.1', 'device' => 'd1', 'weight' => 100.0, 'zone' => 1, **common },
        { 'node' => 'storage2', 'ip' => '192.0.2.2', 'device' => 'sdb', 'weight' => 50.0, 'zone' => 2, **common }
      )
      expect(chef_run.openstack_swift_ring('account').devices.map { |device| device['port'] }.uniq).to eq([6202])
    end

    it 'knows the rings that they have saved' do
      expect(chef_run.openstack_swift_ring('object').copies.map(&:bytes)).to eq([ring])
    end
  end

  it 'keeps the prefix and suffix of hashes to itself' do
    expect(chef_run).to render_file('/etc/swift/swift.conf').with_content(/^swift_hash_path_prefix = secrets-swift_hash_path_prefix-password$/)
    expect(chef_run).to create_file('/etc/swift/swift.conf').with(owner: 'root', group: 'swift', mode: '0640')
  end

  it 'writes hashes with % so that Swift can read the file' do
    allow_any_instance_of(Chef::Resource).to receive(:data_bag_item) { |_, _, item| { item => '100%s' } }
    expect(chef_run).to render_file('/etc/swift/swift.conf').with_content(/^swift_hash_path_prefix = 100%%s$/).with_content(/^swift_hash_path_suffix = 100%%s$/)
  end

  it 'checks tokens at Keystone' do
    expect(chef_run).to render_file('/etc/swift/proxy-server.conf')
      .with_content(/^\[filter:authtoken\]\n(.+\n)*password = service_passwords-swift-password$/)
      .with_content(/^bind_ip = 192\.0\.2\.10$/)
  end

  it 'has a section for each part of the pipeline' do
    expect(chef_run).to(render_file('/etc/swift/proxy-server.conf').with_content do |text|
      parts = text[/^pipeline = (.*)$/, 1].split.uniq
      expect(text.scan(/^\[(?:filter|app):(.+)\]$/).flatten).to match_array(parts)
    end)
  end

  it 'is registered in Keystone' do
    urls = %w(public internal admin).to_h { |interface| [interface, 'http://192.0.2.10:8080/v1/AUTH_%(project_id)s'] }
    expect(chef_run).to create_openstack_registration('swift').with(service_type: 'object-store', endpoints: urls)
    expect(chef_run).to create_openstack_role('ResellerAdmin')
  end

  it 'runs with that configuration' do
    expect(chef_run).to start_openstack_service('swift-proxy').with(ports: [8080], config: include('/etc/swift/proxy-server.conf'))
    expect(chef_run).to start_openstack_service('swift-object-expirer')
  end

  it 'keeps what several units have in /run when one of them stops' do
    expect(chef_run).to render_file('/etc/systemd/system/swift-.service.d/openstack.conf').with_content('RuntimeDirectoryPreserve=yes')
  end
end
