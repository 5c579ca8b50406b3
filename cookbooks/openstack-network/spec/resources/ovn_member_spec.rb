# frozen_string_literal: true

RSpec.describe 'openstack_ovn_member' do
  include_context 'with a controller'
  step_into :openstack_ovn_member

  let(:cluster) { OpenstackNetwork::OvnCluster }
  let(:file) { '/var/lib/ovn/ovnnb_db.db' }

  before do
    allow(cluster).to receive_messages(clustered?: false, living?: false, networks?: false)
    allow(File).to receive(:exist?).and_call_original
    allow(File).to receive(:exist?).with(file).and_return(false)
    allow(File).to receive(:exist?).with("#{file}.standalone").and_return(false)
  end

  def expect_commands(*commands)
    stubs_for_provider('openstack_ovn_member[nb]') do |provider|
      commands.each { |command| expect(provider).to receive_shell_out(*command).ordered }
    end
  end

  context 'before the start' do
    recipe do
      openstack_ovn_member 'nb' do
        address 'tcp:192.0.2.10:6643'
        peers %w(tcp:192.0.2.11:6643 tcp:192.0.2.12:6643)
        action :prepare
      end
    end

    it 'creates a cluster if there is none' do
      expect_commands(
        %w(systemctl stop ovn-ovsdb-server-nb),
        ['ovsdb-tool', '--election-timer=1500', 'create-cluster', file, '/usr/share/ovn/ovn-nb.ovsschema', 'tcp:192.0.2.10:6643']
      )
      chef_run
    end

    it 'creates it from the data of a stand-alone database' do
      allow(File).to receive(:exist?).with(file).and_return(true)
      expect(File).to receive(:rename).with(file, "#{file}.standalone")
      expect_commands(
        %w(systemctl stop ovn-ovsdb-server-nb),
        ['ovsdb-tool', '--election-timer=1500', 'create-cluster', file, "#{file}.standalone", 'tcp:192.0.2.10:6643']
      )
      chef_run
    end

    context 'when an earlier run has ended before the cluster was created, and OVN has started with an empty database' do
      before { [file, "#{file}.standalone"].each { |path| allow(File).to receive(:exist?).with(path).and_return(true) } }

      it 'does not replace the former data by it' do
        expect(File).to receive(:delete).with(file)
        expect(File).not_to receive(:rename)
        expect_commands(
          %w(systemctl stop ovn-ovsdb-server-nb),
          ['ovsdb-tool', '--election-timer=1500', 'create-cluster', file, "#{file}.standalone", 'tcp:192.0.2.10:6643']
        )
        chef_run
      end

      it 'uses it if it has networks' do
        allow(cluster).to receive(:networks?).with('nb').and_return(true)
        expect(File).to receive(:rename).with(file, "#{file}.standalone")
        expect_commands(
          %w(systemctl stop ovn-ovsdb-server-nb),
          ['ovsdb-tool', '--election-timer=1500', 'create-cluster', file, "#{file}.standalone", 'tcp:192.0.2.10:6643']
        )
        chef_run
      end
    end

    it 'joins a member that can be reached, also as the first controller' do
      allow(cluster).to receive(:living?).with('tcp:192.0.2.12:6643').and_return(true)
      expect_commands(
        %w(systemctl stop ovn-ovsdb-server-nb),
        ['ovsdb-tool', 'join-cluster', file, 'OVN_Northbound', 'tcp:192.0.2.10:6643', 'tcp:192.0.2.12:6643']
      )
      chef_run
    end

    it 'does not give up the networks of a stand-alone database to join others' do
      allow(cluster).to receive(:networks?).with('nb').and_return(true)
      allow(cluster).to receive(:living?).with('tcp:192.0.2.12:6643').and_return(true)
      expect { chef_run }.to raise_error(/OVN_Northbound: the networks of this node are in no cluster yet.*tcp:192\.0\.2\.12:6643/)
    end

    it 'does nothing on a member' do
      allow(cluster).to receive(:clustered?).and_return(true)
      expect(chef_run.find_resource(:openstack_ovn_member, 'nb')).not_to be_updated_by_last_action
    end
  end

  context 'while no member can be reached' do
    recipe do
      openstack_ovn_member 'nb' do
        address 'tcp:192.0.2.10:6643'
        peers %w(tcp:192.0.2.11:6643)
        known %w(tcp:192.0.2.11:6643)
        action :prepare
      end
    end

    it 'refuses to begin a second cluster' do
      expect { chef_run }.to raise_error(/OVN_Northbound on tcp:192\.0\.2\.11:6643 cannot be reached.*only controller until now before this node/)
    end
  end

  context 'after the start' do
    recipe do
      openstack_ovn_member 'nb' do
        address 'tcp:192.0.2.10:6643'
        peers %w(tcp:192.0.2.11:6643)
        action :join
      end
    end

    def servers(servers)
      allow(cluster).to receive(:status).and_return(cluster::Status.new('aaaa', true, 'bbbb', servers))
    end

    it 'removes servers of machines that are no more' do
      servers('aaaa' => 'tcp:192.0.2.10:6643', 'bbbb' => 'tcp:192.0.2.11:6643', 'cccc' => 'tcp:192.0.2.10:6643', 'dddd' => 'tcp:192.0.2.99:6643')
      expect_commands(*%w(cccc dddd).map { |id| ['ovn-appctl', '-t', '/run/ovn/ovnnb_db.ctl', 'cluster/kick', 'OVN_Northbound', id] })
      chef_run
    end

    it 'keeps members that have no TLS yet' do
      servers('aaaa' => 'ssl:192.0.2.10:6643', 'bbbb' => 'ssl:192.0.2.11:6643')
      expect(chef_run.find_resource(:openstack_ovn_member, 'nb')).not_to be_updated_by_last_action
    end

    it 'changes nothing in a complete cluster' do
      servers('aaaa' => 'tcp:192.0.2.10:6643', 'bbbb' => 'tcp:192.0.2.11:6643')
      expect(chef_run.find_resource(:openstack_ovn_member, 'nb')).not_to be_updated_by_last_action
    end
  end
end
