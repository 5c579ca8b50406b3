# frozen_string_literal: true

require_relative '../fake_ring_builder'

RSpec.describe OpenstackObjectStorage::Ring do
  def ring(*weights, **options)
    devices = weights.each_with_index.map { |weight, id| { 'id' => id, 'weight' => weight } }
    described_class.new(FakeRingBuilder.ring(devices, **options))
  end

  it 'is balanced if each device has its share' do
    expect(ring(1.0, 1.0, 0.0, replicas: 2).imbalance).to eq(0)
  end

  it 'is not if a device has too much' do
    expect(ring(1.0, 3.0, replicas: 2).imbalance).to eq(100)
  end

  it 'skips the places of devices that were removed' do
    bytes = FakeRingBuilder.ring([{ 'id' => 0, 'weight' => 1.0 }])
    allow(JSON).to receive(:parse).and_return('devs' => [nil, { 'id' => 1 }])
    expect(described_class.new(bytes).devices).to eq([{ 'id' => 1 }])
  end

  it 'rejects another format' do
    expect { described_class.new(Zlib.gzip(['R1NG', 2, 0].pack('a4nN'))) }.to raise_error(ArgumentError, /not a ring in format 1/)
  end

  it 'is nil without a file' do
    expect(described_class.read('/nonexistent')).to be_nil
  end
end
