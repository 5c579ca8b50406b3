# frozen_string_literal: true

require_relative '../../libraries/keys'

RSpec.describe OpenstackIdentity::Keys do
  let(:wanted) { { 0 => 's', 10 => 'p' } }

  it 'keeps the node\'s own keys below those of the data bag, always in the same place' do
    merged = described_class.merge(wanted, { 0 => 'a', 1 => 'b' })
    expect(merged).to eq(0 => 's', 1 => 'a', 2 => 'b', 10 => 'p')
    expect(described_class.merge(wanted, merged)).to eq(merged)
  end

  it 'keeps the newest ones if there are many' do
    present = (0..20).to_h { |number| [number, "key #{number}"] }
    expect(described_class.merge(wanted, present)).to include(1 => 'key 12', 9 => 'key 20')
  end

  it 'drops them after the first rotation' do
    rotated = { 0 => 't', 10 => 'p', 11 => 's' }
    expect(described_class.merge(rotated, { 0 => 's', 1 => 'a', 10 => 'p' })).to eq(rotated)
  end

  it 'reads the files whose name is a number' do
    Dir.mktmpdir do |directory|
      { '0' => "a\n", '12' => 'b', '0.tmp' => 'c' }.each { |name, text| File.write(File.join(directory, name), text) }
      expect(described_class.read(directory)).to eq(0 => 'a', 12 => 'b')
      expect(described_class.read(File.join(directory, 'none'))).to eq({})
    end
  end
end
