# frozen_string_literal: true

RSpec.describe 'openstack_rabbitmq_member' do
  include_context 'with a controller'
  step_into :openstack_rabbitmq_member

  let(:cluster) { OpenstackMessaging::Cluster }

  def status(*members, running: members)
    OpenstackMessaging::Cluster::Status.new(members, running, {})
  end

  before do
    allow(cluster).to receive(:living?).and_return(false)
    allow(cluster).to receive(:living?).with('rabbit@192.0.2.11').and_return(true)
  end

  context 'before the start' do
    recipe do
      openstack_rabbitmq_member 'rabbit@192.0.2.10' do
        peers %w(rabbit@192.0.2.11 rabbit@192.0.2.12)
        known %w(rabbit@192.0.2.12)
        action :prepare
      end
    end

    it 'refuses to begin a second cluster while none of the members can be reached' do
      allow(cluster).to receive_messages(data?: false, living?: false)
      expect { chef_run }.to raise_error(/RabbitMQ of rabbit@192\.0\.2\.12 cannot be reached/)
    end

    context 'when an earlier run has stopped it to join' do
      before do
        allow(cluster).to receive(:data?).and_return(true)
        allow(File).to receive(:exist?).and_call_original
        allow(File).to receive(:exist?).with('/var/lib/rabbitmq/openstack-joining').and_return(true)
      end

      it 'starts it, so that it listens' do
        allow(cluster).to receive(:living?).with('rabbit@192.0.2.10').and_return(true)
        stubs_for_provider('openstack_rabbitmq_member[rabbit@192.0.2.10]') do |provider|
          expect(provider).to receive_shell_out('rabbitmqctl', '--quiet', '--node', 'rabbit@192.0.2.10', 'start_app', timeout: 120)
        end
        expect(chef_run).to delete_file('/var/lib/rabbitmq/openstack-joining')
      end

      it 'leaves that to its unit if it does not run at all' do
        expect(chef_run).to delete_file('/var/lib/rabbitmq/openstack-joining')
      end
    end

    it 'lets a node start that has been a member, or whose peers live' do
      allow(cluster).to receive_messages(data?: true, living?: false)
      expect { chef_run }.not_to raise_error
    end
  end

  context 'after the start' do
    recipe do
      openstack_rabbitmq_member 'rabbit@192.0.2.10' do
        peers %w(rabbit@192.0.2.11 rabbit@192.0.2.12)
        action :join
      end
    end

    def control(provider, name, *command)
      expect(provider).to receive_shell_out('rabbitmqctl', '--quiet', '--node', name, *command, timeout: 120).ordered
    end

    it 'changes nothing in a cluster with all that can be reached' do
      allow(cluster).to receive(:status).and_return(status('rabbit@192.0.2.10', 'rabbit@192.0.2.11'))
      expect(chef_run.find_resource(:openstack_rabbitmq_member, 'rabbit@192.0.2.10')).not_to be_updated_by_last_action
    end

    it 'joins the others, which forget the machine that had its name' do
      joined = false
      allow(cluster).to receive(:status).with('rabbit@192.0.2.11').and_return(status('rabbit@192.0.2.10', 'rabbit@192.0.2.11'))
      allow(cluster).to receive(:status).with('rabbit@192.0.2.10') do
        joined ? status('rabbit@192.0.2.10', 'rabbit@192.0.2.11') : status('rabbit@192.0.2.10').tap { joined = true }
      end
      stubs_for_provider('openstack_rabbitmq_member[rabbit@192.0.2.10]') do |provider|
        control(provider, 'rabbit@192.0.2.10', 'stop_app')
        control(provider, 'rabbit@192.0.2.10', 'reset')
        control(provider, 'rabbit@192.0.2.11', 'forget_cluster_node', 'rabbit@192.0.2.10')
        control(provider, 'rabbit@192.0.2.10', 'join_cluster', 'rabbit@192.0.2.11')
        control(provider, 'rabbit@192.0.2.10', 'start_app')
      end
      expect(chef_run.find_resource(:openstack_rabbitmq_member, 'rabbit@192.0.2.10')).to be_updated_by_last_action
      expect(chef_run).to create_file('/var/lib/rabbitmq/openstack-joining')
      expect(chef_run).to delete_file('/var/lib/rabbitmq/openstack-joining')
    end

    it 'forgets nodes that are no controllers any more' do
      allow(cluster).to receive(:status).and_return(status('rabbit@192.0.2.10', 'rabbit@192.0.2.11', 'rabbit@192.0.2.99'))
      stubs_for_provider('openstack_rabbitmq_member[rabbit@192.0.2.10]') do |provider|
        control(provider, 'rabbit@192.0.2.10', 'forget_cluster_node', 'rabbit@192.0.2.99')
      end
      chef_run
    end
  end
end
