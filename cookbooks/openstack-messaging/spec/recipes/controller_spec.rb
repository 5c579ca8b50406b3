# frozen_string_literal: true

RSpec.describe 'openstack-messaging::controller' do
  include_context 'with a controller'

  let(:socket) { instance_double(OpenstackCommon::Systemd, older_than?: false) }

  before do
    allow(OpenstackMessaging::Amqp).to receive(:login?).and_return(true)
    allow(OpenstackCommon::Systemd).to receive(:show).with('epmd.socket').and_return(socket)
  end

  it 'lets the port mapper listen anew if its file changes' do
    allow_any_instance_of(Chef::Resource::File).to receive(:updated_by_last_action?).and_return(true)
    expect(chef_run).to run_execute('stop RabbitMQ and its port mapper')
  end

  it 'does so, too, if an earlier run has written the file, and ended before the port mapper stopped' do
    allow(socket).to receive(:older_than?).with(%w(/etc/systemd/system/epmd.socket.d/listen.conf)).and_return(true)
    expect(chef_run).to run_execute('stop RabbitMQ and its port mapper')
  end

  it 'leaves the port mapper alone if it listens as it should, and starts both again if it did not' do
    expect(chef_run).not_to run_execute('stop RabbitMQ and its port mapper')
    %w(epmd.socket rabbitmq-server).each do |unit|
      expect(chef_run).to start_openstack_service(unit).with(config: include('/etc/systemd/system/epmd.socket.d/listen.conf'))
    end
  end

  it 'listens at the node\'s own address' do
    expect(chef_run).to render_file('/etc/rabbitmq/rabbitmq.conf').with_content(/^listeners\.tcp\.1 = 192\.0\.2\.10:5672$/)
  end

  it 'declares the user of the services in the definitions file, without its password' do
    expect(chef_run).to render_file('/etc/rabbitmq/rabbitmq.conf').with_content(%r{^load_definitions = /etc/rabbitmq/definitions\.json$})
    expect(chef_run).to create_file('/etc/rabbitmq/definitions.json').with(group: 'rabbitmq', mode: '0640', sensitive: true)
    expect(chef_run).to render_file('/etc/rabbitmq/definitions.json').with_content { |text|
      expect(text).to include('"name": "openstack"')
      expect(text).not_to include('user_passwords-openstack-password')
    }
  end

  it 'imports the definitions only if the user cannot log in' do
    expect(OpenstackMessaging::Amqp).to receive(:login?).with('192.0.2.10', 5672, 'openstack', 'user_passwords-openstack-password', vhost: 'openstack', ca: nil).and_return(true)
    expect(chef_run).not_to run_execute('rabbitmqctl import_definitions')
  end

  it 'imports them into a running RabbitMQ that rejects the login' do
    allow(OpenstackMessaging::Amqp).to receive(:login?).and_return(false)
    expect(chef_run).to run_execute('rabbitmqctl import_definitions')
      .with(command: %w(rabbitmqctl --node rabbit@localhost import_definitions /etc/rabbitmq/definitions.json))
  end

  context 'with options from the environment' do
    override_attributes['openstack']['mq']['conf'] = { 'heartbeat' => 30 }

    it 'writes them' do
      expect(chef_run).to render_file('/etc/rabbitmq/rabbitmq.conf').with_content(/^heartbeat = 30$/)
    end
  end

  it 'is alone without other controllers, and lets nothing but AMQP in' do
    expect(chef_run).to render_file('/etc/rabbitmq/rabbitmq-env.conf').with_content(/^NODENAME=rabbit@localhost$/)
    expect(chef_run).to start_openstack_service('rabbitmq-server').with(internal_ports: [5672])
    expect(chef_run).not_to render_file('/etc/rabbitmq/rabbitmq.conf').with_content(/cluster/)
    expect(chef_run).not_to create_file('/var/lib/rabbitmq/.erlang.cookie')
  end

  context 'with several controllers' do
    default_attributes['openstack']['ha'] = { 'address' => '192.0.2.9', 'members' => 'fauxhai.local=192.0.2.10 two=192.0.2.11 three=192.0.2.12' }

    before { stub_search(:node, /openstack-messaging/).and_return([]) }

    it 'has a virtual host for services that use the cluster, beside that of those that do not yet' do
      allow_any_instance_of(Chef::Recipe).to receive(:openstack_mq_vhost).and_return('openstack-cluster')
      names = nil
      expect(chef_run).to render_file('/etc/rabbitmq/definitions.json').with_content { |text|
        names = JSON.parse(text)['permissions'].map { |each| each['vhost'] }
      }
      expect(names).to eq(%w(/ openstack-cluster openstack))
      expect(OpenstackMessaging::Amqp).to have_received(:login?).with(any_args, hash_including(vhost: 'openstack-cluster'))
    end

    it 'is a member of their cluster' do
      expect(chef_run).to render_file('/etc/rabbitmq/rabbitmq-env.conf').with_content(/^NODENAME=rabbit@192\.0\.2\.10\nUSE_LONGNAME=true$/)
      expect(chef_run).to render_file('/etc/rabbitmq/rabbitmq.conf').with_content(/^cluster_partition_handling = pause_minority$/)
      expect(chef_run).to create_file('/var/lib/rabbitmq/.erlang.cookie').with(owner: 'rabbitmq', mode: '0400', sensitive: true)
      expect(chef_run).to start_openstack_service('rabbitmq-server').with(internal_ports: [5672, 25_672])
      expect(chef_run).to join_openstack_rabbitmq_member('rabbit@192.0.2.10 after its start').with(
        node_name: 'rabbit@192.0.2.10', peers: %w(rabbit@192.0.2.11 rabbit@192.0.2.12)
      )
    end
  end

  context 'with several controllers and TLS for internal connections' do
    default_attributes['openstack']['ha'] = { 'address' => '192.0.2.9', 'members' => 'fauxhai.local=192.0.2.10 two=192.0.2.11' }
    default_attributes['openstack']['tls']['mode'] = 'all'

    before { stub_search(:node, /openstack-messaging/).and_return([]) }

    it 'lets RabbitMQ read how members connect, whatever the umask of root is' do
      expect(chef_run).to create_file('/etc/rabbitmq/distribution.config').with(mode: '0644')
    end
  end

  context 'with TLS for internal connections' do
    default_attributes['openstack']['tls']['mode'] = 'all'

    it 'does not restart for a renewed certificate, which it reads again by itself' do
      expect(chef_run).to start_openstack_service('rabbitmq-server').with(config: contain_exactly(*%w(rabbitmq.conf rabbitmq-env.conf).map { |name| "/etc/rabbitmq/#{name}" }, /epmd/))
    end

    it 'waits until it has read a certificate that replaces one that has expired' do
      answers = [-> { raise OpenSSL::SSL::SSLError, 'certificate has expired' }, -> { true }]
      allow(OpenstackMessaging::Amqp).to receive(:login?) { answers.shift.call }
      expect_any_instance_of(Chef::Resource).to receive(:sleep).with(5)
      expect(chef_run).not_to run_execute('rabbitmqctl import_definitions')
    end

    it 'fails if its certificate stays wrong' do
      allow(OpenstackMessaging::Amqp).to receive(:login?).and_raise(OpenSSL::SSL::SSLError, 'certificate has expired')
      allow_any_instance_of(Chef::Resource).to receive(:sleep)
      expect { chef_run }.to raise_error(OpenSSL::SSL::SSLError, /expired/)
    end

    it 'accepts TLS only, at the same port' do
      expect(chef_run).to render_file('/etc/rabbitmq/rabbitmq.conf')
        .with_content(/^listeners\.tcp = none$/).with_content(/^listeners\.ssl\.1 = 192\.0\.2\.10:5672$/)
      expect(chef_run).not_to run_execute('rabbitmqctl import_definitions')
      expect(OpenstackMessaging::Amqp).to have_received(:login?).with(any_args, hash_including(ca: '/etc/openstack/internal-ca.pem'))
    end
  end
end
