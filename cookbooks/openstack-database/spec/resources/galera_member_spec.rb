# frozen_string_literal: true

RSpec.describe 'openstack_galera_member' do
  include_context 'with a controller'
  step_into :openstack_galera_member

  let(:unit) { { 'LoadState' => 'loaded', 'ActiveState' => 'active' } }
  let(:outdated) { false }
  let(:mine) { { 'state' => 'synced', 'uuid' => 'a-uuid', 'size' => 3 } }
  let(:peer) { { 'state' => 'synced', 'uuid' => 'a-uuid', 'size' => 3 } }
  let(:commands) { [] }

  before do
    allow(OpenstackCommon::Systemd).to receive(:show).with('mariadb').and_return(OpenstackCommon::Systemd.new(unit))
    allow_any_instance_of(OpenstackCommon::Systemd).to receive(:older_than?).and_return(outdated)
    allow(OpenstackDatabase::Galera).to receive(:position).with('192.0.2.10') { mine }
    allow(OpenstackDatabase::Galera).to receive(:position).with('192.0.2.12') { peer }
    allow(Chef::Node).to receive(:load).with('c2').and_raise(Net::HTTPClientException.new('404 "Not Found"', Net::HTTPNotFound.new('1.1', '404', '')))
    allow_any_instance_of(Chef::Provider).to receive(:shell_out!) do |_, *argv|
      commands << argv.grep(String).join(' ')
      mine.merge!('state' => 'synced', 'uuid' => 'a-uuid')
    end
  end

  recipe do
    openstack_galera_member '192.0.2.10' do
      peers 'c2' => '192.0.2.12'
      first true
      config %w(/etc/mysql/mariadb.conf.d/99-openstack.cnf)
    end
  end

  it 'changes nothing if it is synced, and saves for the others that it is a member' do
    expect(chef_run.node['openstack']['ha']['galera']).to eq('a-uuid')
    expect(commands).to be_empty
  end

  it 'waits until it is synced' do
    mine['state'] = 'joining'
    allow_any_instance_of(Chef::Provider).to receive(:sleep) { mine['state'] = 'synced' }
    chef_run
    expect(mine['state']).to eq('synced')
  end

  it 'says why it is not synced in time' do
    chef_runner.node.default['openstack']['start_timeout'] = -1
    mine['state'] = 'non-primary'
    allow(Net::HTTP).to receive(:get).and_return("no answer from c2\n")
    expect { chef_run }.to raise_error(/this member is not synced: no answer from c2/)
  end

  context 'with databases that are in no cluster' do
    before { allow(OpenstackDatabase::Galera).to receive(:alone?).with(%w(keystone)).and_return(true) }

    recipe do
      openstack_galera_member '192.0.2.10' do
        peers 'c2' => '192.0.2.12'
        first false
        databases %w(keystone)
        config %w(/etc/mysql/mariadb.conf.d/99-openstack.cnf)
        action :prepare
      end
    end

    it 'refuses to join another cluster, before MariaDB is configured to' do
      expect { chef_run }.to raise_error(/this node's databases are in no cluster yet.*install c2 anew/)
    end

    context 'without a cluster' do
      let(:peer) { nil }

      it 'changes nothing yet' do
        expect(chef_run.find_resource(:openstack_galera_member, '192.0.2.10')).not_to be_updated_by_last_action
      end
    end
  end

  context 'with another configuration' do
    let(:outdated) { true }

    it 'restarts, as the others go on' do
      chef_run
      expect(commands).to eq(['systemctl restart --no-block mariadb'])
    end
  end

  context 'when it has not been started' do
    let(:unit) { { 'LoadState' => 'loaded', 'ActiveState' => 'inactive' } }
    let(:mine) { { 'state' => 'stopped', 'uuid' => OpenstackDatabase::Galera::NO_UUID, 'size' => 0 } }

    it 'joins the others' do
      chef_run
      expect(commands).to eq(['systemctl restart --no-block mariadb'])
    end

    context 'without another member' do
      let(:peer) { nil }

      it 'begins the cluster' do
        chef_run
        expect(commands.first).to start_with('/usr/local/lib/openstack/openstack-galera bootstrap')
      end

      it 'does not if another one has been a member' do
        allow(Chef::Node).to receive(:load).with('c2').and_return(Chef::Node.new.tap { |node| node.default['openstack']['ha']['galera'] = 'a-uuid' })
        expect { chef_run }.to raise_error(/c2 is a member of the cluster, and does not respond/)
        expect(commands).to be_empty
      end

      it 'does not if another one was the only controller until now' do
        allow(Chef::Node).to receive(:load).with('c2').and_return(Chef::Node.new.tap { |node| node.default['openstack']['services']['mariadb'] = {} })
        expect { chef_run }.to raise_error(/databases of this cloud are on c2, in no cluster yet/)
        expect(commands).to be_empty
      end
    end
  end
end
