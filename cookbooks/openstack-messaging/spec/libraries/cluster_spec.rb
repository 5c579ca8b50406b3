# frozen_string_literal: true

require_relative '../../libraries/cluster'

RSpec.describe OpenstackMessaging::Cluster do
  it 'names nodes by their address; with TLS they are others' do
    expect(described_class.node_name('192.0.2.10')).to eq('rabbit@192.0.2.10')
    expect(described_class.node_name('192.0.2.10', tls: true)).to eq('rabbit-tls@192.0.2.10')
  end

  it 'writes addresses as Erlang does' do
    expect(described_class.tuple('192.0.2.10')).to eq('{192,0,2,10}')
    expect(described_class.tuple('2001:db8::1')).to eq('{8193,3512,0,0,0,0,0,1}')
  end

  describe 'asking the port mapper' do
    let(:server) { TCPServer.new('127.0.0.1', 0) }

    before { stub_const('OpenstackMessaging::Cluster::PORT_MAPPER', server.addr[1]) }
    after { server.close }

    def living?(name)
      serving = Thread.new do
        client = server.accept
        @asked = client.read(3)
        client.write("\0\0\x11\x11name rabbit at port 25672\n")
        client.close
      end
      described_class.living?(name).tap { serving.join }
    end

    it 'finds a node that runs' do
      expect(living?('rabbit@127.0.0.1')).to be(true)
      expect(@asked).to eq("\0\x01n")
    end

    it 'does not take another one for it' do
      expect(living?('rabbit-tls@127.0.0.1')).to be(false)
    end

    it 'is false if nothing listens' do
      server.close
      expect(described_class.living?('rabbit@127.0.0.1')).to be(false)
    end
  end

  it 'reads what a node knows of its cluster' do
    json = '{"disk_nodes":["rabbit@a","rabbit@b"],"running_nodes":["rabbit@a"],"partitions":{"rabbit@a":["rabbit@b"]}}'
    ran = instance_double(Mixlib::ShellOut, error?: false, stdout: json)
    allow(Mixlib::ShellOut).to receive(:new).and_return(instance_double(Mixlib::ShellOut, run_command: ran))
    status = described_class.status('rabbit@a')
    expect(status.members).to eq(%w(rabbit@a rabbit@b))
    expect(status.running).to eq(%w(rabbit@a))
    expect(status.partitions).to eq('rabbit@a' => %w(rabbit@b))
  end
end
