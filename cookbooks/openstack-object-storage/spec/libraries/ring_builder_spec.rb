# frozen_string_literal: true

require_relative '../fake_ring_builder'

RSpec.describe OpenstackObjectStorage::RingBuilder do
  let(:directory) { Dir.mktmpdir }
  let(:builder) { described_class.new(directory, 'object', part_power: 4, replicas: 3, min_part_hours: 1) }
  let(:fake) { FakeRingBuilder.installed(self) }

  before { fake }
  after { FileUtils.rm_rf(directory) }

  def device(number, weight: 100.0, node: "storage#{number}", ip: "192.0.2.#{number}")
    { 'node' => node, 'ip' => ip, 'port' => 6200, 'device' => 'd1', 'weight' => weight, 'region' => 1, 'zone' => 1 }
  end

  def build(*devices, removed: [], copies: [])
    builder.rebalanced(devices, removed, copies).tap { |made| builder.install if made }
  end

  def nodes
    builder.ring.devices.map { |device| device['meta'] }
  end

  it 'builds a ring with three replicas' do
    build(device(1), device(2), device(3))
    expect(fake.commands).to eq([
                                  %w(create 4 3 1),
                                  %w(add r1z1-192.0.2.1:6200/d1_storage1 100.0 r1z1-192.0.2.2:6200/d1_storage2 100.0 r1z1-192.0.2.3:6200/d1_storage3 100.0),
                                  %w(rebalance),
                                ])
    expect(nodes).to eq(%w(storage1 storage2 storage3))
    expect(Dir.children(directory)).to contain_exactly('object.builder', 'object.ring.gz')
  end

  it 'builds one with as many replicas as devices if there are fewer' do
    build(device(1), device(2))
    expect(builder.ring.replicas).to eq(2)
  end

  it 'puts an IPv6 address into brackets' do
    builder.rebalanced([device(1, ip: '2001:db8::1')], [])
    expect(fake.commands[1][1]).to eq('r1z1-[2001:db8::1]:6200/d1_storage1')
  end

  it 'says that no device is there' do
    expect { build }.to raise_error(/ring object would have no device/)
  end

  context 'with a ring' do
    before do
      build(device(1), device(2))
      fake.commands.clear
    end

    it 'does nothing if it has all devices' do
      expect(build(device(2), device(1))).to be_nil
      expect(fake.commands).to be_empty
    end

    it 'keeps a device that is not wanted any more' do
      expect(build(device(1))).to be_nil
      expect(nodes).to eq(%w(storage1 storage2))
    end

    it 'adds a device, and a replica' do
      build(device(1), device(2), device(3))
      expect(fake.commands).to eq([%w(write_ring), %w(add r1z1-192.0.2.3:6200/d1_storage3 100.0), %w(set_replicas 3), %w(rebalance)])
      expect(builder.ring.replicas).to eq(3)
    end

    it 'moves a device to the new address of its node, although no partition is reassigned' do
      fake.early = true
      build(device(1), device(2, ip: '192.0.2.9'))
      expect(fake.commands).to eq([%w(write_ring), %w(set_info d1 192.0.2.9:6200R192.0.2.9:6200 --yes), %w(write_ring)])
      expect(builder.ring.devices.map { |each| each['ip'] }).to eq(%w(192.0.2.1 192.0.2.9))
      expect(builder.refusal).to be_nil
    end

    it 'sets a weight' do
      build(device(1, weight: 100.0), device(2, weight: 200.0))
      expect(fake.commands).to include(%w(set_weight d1 200.0 --yes))
    end

    it 'removes the devices of a node only by its name' do
      build(device(1), device(2), removed: %w(storage2))
      expect(fake.commands).to include(%w(remove d1 --yes), %w(set_replicas 1))
      expect(nodes).to eq(%w(storage1))
    end

    it 'does not remove the last device' do
      expect { build(removed: %w(storage1 storage2)) }.to raise_error(/would have no device/)
    end

    it 'says why Swift does not rebalance it yet, and leaves it as it was' do
      fake.early = true
      before = builder.ring.bytes
      expect(build(device(1), device(2), device(3))).to be_nil
      expect(builder.refusal).to eq('No partitions could be reassigned. min_part_hours')
      expect(builder.ring.bytes).to eq(before)
    end

    it 'rebalances it again if the partitions are not where they should be' do
      File.binwrite(File.join(directory, 'object.ring.gz'), FakeRingBuilder.ring(builder.ring.devices.map { |each| each.merge('weight' => each['id'] * 2.0) }))
      build(device(1, weight: 0.0), device(2, weight: 2.0))
      expect(fake.commands.last).to eq(%w(rebalance))
    end

    it 'starts from the builder file if a run ended before it put the ring to use' do
      builder.rebalanced([device(1), device(2), device(3)], [])
      File.rename(File.join(directory, '.object-new/object.builder'), File.join(directory, 'object.builder'))
      fake.commands.clear
      build(device(1), device(2), device(3))
      expect(fake.commands).to eq([%w(write_ring), %w(rebalance)])
      expect(nodes).to eq(%w(storage1 storage2 storage3))
    end

    it 'restores a lost builder file from the newest ring of other nodes' do
      kept = builder.ring
      old = OpenstackObjectStorage::Ring.new(FakeRingBuilder.ring([kept.devices.first], version: 0))
      FileUtils.rm(Dir[File.join(directory, '*')])
      build(device(1), device(2), device(3), copies: [old, kept])
      expect(fake.commands).to eq([%w(write_builder 1), %w(add r1z1-192.0.2.3:6200/d1_storage3 100.0), %w(set_replicas 3), %w(rebalance)])
    end
  end

  it 'reports what swift-ring-builder says when it fails' do
    allow(fake).to receive(:run).and_return(FakeRingBuilder::Done.new(2, "An error has occurred\n", ''))
    expect { build(device(1)) }.to raise_error('swift-ring-builder object create: exit status 2: An error has occurred')
  end
end
