# frozen_string_literal: true

require_relative '../../libraries/ovsdb'

RSpec.describe OpenstackNetwork::Ovsdb do
  it 'reads maps, sets and single values' do
    json = '{"headings":["external_ids","target","inactivity_probe"],' \
           '"data":[[["map",[["hostname","c1"],["system-id","x"]]],"ptcp:6641:192.0.2.10",["set",[]]]]}'
    expect(described_class.rows(json)).to eq(
      [{ 'external_ids' => { 'hostname' => 'c1', 'system-id' => 'x' }, 'target' => 'ptcp:6641:192.0.2.10', 'inactivity_probe' => [] }]
    )
  end

  it 'quotes values with commas and quotes' do
    expect(described_class.assignments('external_ids', 'ovn-bridge-mappings' => 'a:br-a,b:br-b', 'x' => 'say "y"'))
      .to eq(['external_ids:ovn-bridge-mappings="a:br-a,b:br-b"', 'external_ids:x="say \"y\""'])
  end

  it 'waits until a server listens on the socket' do
    Dir.mktmpdir do |directory|
      path = File.join(directory, 'db.sock')
      server = UNIXServer.new(path)
      expect { described_class.wait_for(path, seconds: 5) }.not_to raise_error
      server.close # the file stays
      expect { described_class.wait_for(path, seconds: 0) }.to raise_error(/nothing listens on .*db\.sock/)
    end
  end
end
