# frozen_string_literal: true

RSpec.describe OpenstackDatabase::Galera do
  def at(state, uuid: 'a-uuid', size: 1)
    { 'state' => state, 'uuid' => uuid, 'size' => size }
  end

  let(:new) { at('stopped', uuid: described_class::NO_UUID) }
  let(:silent) { { 'c2' => nil, 'c3' => nil } }

  def verb(mine, peers, recorded: [], first: true, **options)
    described_class.verb(mine, peers, recorded: recorded, first: first, **options)
  end

  it 'begins a cluster that does not exist yet on the first member only' do
    expect(verb(new, silent)).to eq(:bootstrap)
    expect { verb(new, { 'c1' => nil }, first: false) }.to raise_error(/no other member responds.*converge the first one of openstack.ha.members \(c1\)/)
  end

  it 'does not take members that have not joined for a cluster' do
    expect(verb(new, { 'c2' => at('stopped', uuid: described_class::NO_UUID), 'c3' => nil })).to eq(:bootstrap)
  end

  it 'joins a cluster that exists, also with the first member' do
    expect(verb(new, { 'c2' => at('synced'), 'c3' => nil }, recorded: %w(c2 c3))).to eq(:restart)
    expect(verb(at('alone', uuid: described_class::NO_UUID), { 'c2' => at('primary') })).to eq(:restart)
  end

  context 'when one controller becomes several' do
    let(:single) { at('alone', uuid: described_class::NO_UUID) }

    it 'begins the cluster with the data of the one, also if it is not the first' do
      expect(verb(single, silent, alone: true)).to eq(:bootstrap)
      expect(verb(single, { 'c1' => nil, 'c3' => new }, alone: true, first: false)).to eq(:bootstrap)
    end

    it 'begins no cluster without its data' do
      expect { verb(new, silent, others: %w(c2)) }.to raise_error(/databases of this cloud are on c2, in no cluster yet.*converge c2 before this node/)
      expect { verb(new, { 'c2' => single, 'c3' => nil }, others: %w(c2)) }.to raise_error(/converge c2 before this node/)
    end

    it 'does not replace its data by that of another cluster' do
      expect { verb(single, { 'c1' => at('synced'), 'c3' => nil }, alone: true, recorded: %w(c1)) }.to raise_error(/this node's databases.*the one on c1.*install c1 anew/)
      expect { verb(single, { 'c1' => at('failed') }, alone: true) }.to raise_error(/this node's databases/)
    end

    it 'lets the others join once the cluster has its data' do
      expect(verb(new, { 'c2' => at('synced') }, others: %w(c2))).to eq(:restart)
    end

    it 'knows it by its databases' do
      allow(File).to receive(:exist?).and_call_original
      allow(File).to receive(:exist?).with('/var/lib/mysql/grastate.dat').and_return(false)
      allow(File).to receive(:directory?).and_call_original
      %w(glance keystone).each { |name| allow(File).to receive(:directory?).with("/var/lib/mysql/#{name}").and_return(name == 'keystone') }
      expect(described_class).to be_alone(%w(glance keystone))
      expect(described_class).not_to be_alone(%w(glance))
      allow(File).to receive(:exist?).with('/var/lib/mysql/grastate.dat').and_return(true)
      expect(described_class).not_to be_alone(%w(glance keystone))
    end
  end

  it 'does not begin a second cluster if a member is known that does not respond' do
    expect { verb(new, silent, recorded: %w(c2)) }.to raise_error(/c2 is a member of the cluster, and does not respond.*openstack-galera bootstrap/)
  end

  it 'leaves it to the members to recover a cluster that is down' do
    expect(verb(at('failed'), { 'c2' => at('failed'), 'c3' => nil })).to eq(:restart)
    expect(verb(new, { 'c2' => at('non-primary'), 'c3' => nil }, recorded: %w(c3))).to eq(:restart)
    expect(verb(new, %w(c2 c3).to_h { |name| [name, at('waiting', uuid: described_class::NO_UUID)] }, recorded: %w(c2 c3))).to eq(:restart)
  end

  it 'restarts the only member of a cluster as its beginning' do
    expect(verb(at('synced'), silent, recorded: %w(c2))).to eq(:bootstrap)
    expect(verb(at('synced', size: 2), silent)).to eq(:restart)
  end

  describe '.options' do
    let(:members) { [%w(c1 192.0.2.11), %w(c2 192.0.2.12)].map { |member| OpenstackCommon::Members::Member.new(*member) } }
    let(:tls) { { certificate: '/c.pem', key: '/k.pem', ca: '/ca.pem' } }

    it 'listens at the address of the member only' do
      options = described_class.options(members.last, members)
      expect(options['mysqld']).to include(
        'wsrep_cluster_address' => 'gcomm://192.0.2.11,192.0.2.12', 'wsrep_node_name' => 'c2', 'wsrep_node_address' => '192.0.2.12',
        'wsrep_provider_options' => start_with('gmcast.listen_addr=tcp://192.0.2.12:4567;ist.recv_addr=192.0.2.12:4568;'), 'innodb_autoinc_lock_mode' => 2
      )
      expect(options['sst']).to eq('sockopt' => 'bind=192.0.2.12', 'ssl-mode' => nil)
    end

    it 'encrypts what members send to each other' do
      options = described_class.options(members.last, members, tls: tls)
      expect(options['mysqld']['wsrep_provider_options'])
        .to end_with(';socket.ssl=yes;socket.ssl_cert=/c.pem;socket.ssl_key=/k.pem;socket.ssl_ca=/ca.pem')
      expect(options['sst']).to include('ssl-mode' => 'VERIFY_CA')
    end

    it 'accepts members that do not encrypt yet' do
      options = described_class.options(members.last, members, tls: tls, plain: true)
      expect(options['mysqld']['wsrep_provider_options']).to end_with(';socket.dynamic=yes')
    end
  end
end
