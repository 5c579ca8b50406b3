# frozen_string_literal: true

require_relative '../../libraries/ovncluster'

RSpec.describe OpenstackNetwork::OvnCluster do
  let(:text) do
    <<~STATUS
      3125
      Name: OVN_Northbound
      Cluster ID: bce6 (bce62d93-4287-4ba3-8b01-5d13a4ae2f44)
      Server ID: 3125 (31250d93-4287-4ba3-8b01-5d13a4ae2f44)
      Address: tcp:192.0.2.10:6643
      Status: cluster member
      Role: follower
      Term: 2
      Leader: 24e3
      Vote: unknown

      Connections: ->0000 <-8c3d
      Disconnections: 2
      Servers:
          8c3d (8c3d at tcp:192.0.2.10:6643) last msg 166 ms ago
          24e3 (24e3 at tcp:192.0.2.11:6643) last msg 166 ms ago
          3125 (3125 at tcp:192.0.2.10:6643) (self)
    STATUS
  end

  it 'reads the state of a member' do
    status = described_class.parse(text)
    expect(status).to have_attributes(id: '3125', working?: true)
    expect(status.servers).to eq('8c3d' => 'tcp:192.0.2.10:6643', '24e3' => 'tcp:192.0.2.11:6643', '3125' => 'tcp:192.0.2.10:6643')
  end

  it 'is not working while it joins, or without a leader' do
    expect(described_class.parse(text.sub('cluster member', 'joining cluster'))).not_to be_working
    expect(described_class.parse(text.sub('Leader: 24e3', 'Leader: unknown'))).not_to be_working
  end

  describe '.networks?' do
    let(:file) { '/var/lib/ovn/ovnnb_db.db' }

    before do
      allow(File).to receive(:exist?).and_call_original
      allow(File).to receive(:exist?).with(file).and_return(true)
    end

    def has(rows)
      query = '["OVN_Northbound",{"op":"select","table":"Logical_Switch","where":[],"columns":["_uuid"]}]'
      ran = instance_double(Mixlib::ShellOut, error!: nil, stdout: JSON.generate([{ rows: rows }]))
      allow(Mixlib::ShellOut).to receive(:new).with('ovsdb-tool', 'query', file, query).and_return(instance_double(Mixlib::ShellOut, run_command: ran))
    end

    it 'looks into the northbound database' do
      has([{ '_uuid' => %w(uuid a) }])
      expect(described_class).to be_networks('nb')
      has([])
      expect(described_class).not_to be_networks('nb')
    end

    it 'is none without a database, and never the southbound one' do
      allow(File).to receive(:exist?).with(file).and_return(false)
      expect(described_class).not_to be_networks('nb')
      expect(described_class).not_to be_networks('sb')
    end
  end

  it 'finds out whether a server can be reached' do
    server = TCPServer.new('127.0.0.1', 0)
    remote = "tcp:127.0.0.1:#{server.addr[1]}"
    expect(described_class.living?(remote)).to be(true)
    server.close
    expect(described_class.living?(remote)).to be(false)
  end
end
