# frozen_string_literal: true

require_relative '../fake_ring_builder'

RSpec.describe 'openstack_swift_ring' do
  platform 'debian', '13'
  step_into :openstack_swift_ring
  default_attributes['openstack']['object_storage'] = { 'part_power' => 4, 'replicas' => 3, 'min_part_hours' => 1 }

  let(:fake) { FakeRingBuilder.installed(self) }

  before { fake }

  def saved
    OpenstackObjectStorage::Ring.new(Base64.strict_decode64(chef_run.node['openstack']['object_storage']['rings']['object']))
  end

  def self.ring(version)
    OpenstackObjectStorage::Ring.new(FakeRingBuilder.ring([{ 'id' => 0, 'weight' => 1.0 }], version: version))
  end

  context 'on the node that builds it' do
    wanted = [{ 'node' => 'storage1', 'ip' => '192.0.2.1', 'port' => 6200, 'device' => 'd1', 'weight' => 100.0, 'region' => 1, 'zone' => 1 }]
    path = Dir.mktmpdir # a recipe block does not see what `let` defines

    let(:wanted) { wanted }
    let(:directory) { path }

    after { FileUtils.rm_rf(path) }

    recipe do
      openstack_swift_ring 'object' do
        directory path
        devices wanted
        action :build
      end
    end

    it 'saves it in the node object, and warns that there are too few devices' do
      allow(Chef::Log).to receive(:warn)
      expect(Chef::Log).to receive(:warn).with('ring object: 1 instead of 3 replicas, because there are not more devices')
      chef_run
      expect(File).to exist(File.join(directory, 'object.ring.gz'))
      expect(saved.devices.map { |device| device['meta'] }).to eq(%w(storage1))
    end

    it 'changes nothing the second time, and saves it again' do
      builder = OpenstackObjectStorage::RingBuilder.new(directory, 'object', part_power: 4, replicas: 3, min_part_hours: 1)
      builder.rebalanced(wanted, [])
      builder.install
      fake.commands.clear
      expect(saved.version).to eq(1)
      expect(fake.commands).to be_empty
    end
  end

  context 'on another node' do
    new_one, old_one = [2, 1].map { |version| ring(version) }

    recipe do
      openstack_swift_ring 'object' do
        copies [old_one, new_one]
        action :install
      end
    end

    it 'installs the newest, and saves it in the node object' do
      expect(chef_run).to create_file('/etc/swift/object.ring.gz').with(content: new_one.bytes, mode: '0644')
      expect(saved.version).to eq(2)
    end

    it 'rejects one that is older than its own' do
      allow(OpenstackObjectStorage::Ring).to receive(:read).and_return(self.class.ring(3))
      expect { chef_run }.to raise_error(/has version 3, but the proxy's node only version 2/)
    end
  end

  context 'before it is built' do
    recipe do
      openstack_swift_ring 'object' do
        action :install
      end
    end

    it 'says what to converge first' do
      expect { chef_run }.to raise_error(/no node has a ring object yet; first converge the node with recipe\[openstack-object-storage::proxy\]/)
    end
  end
end
