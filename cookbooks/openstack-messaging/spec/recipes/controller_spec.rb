# frozen_string_literal: true

RSpec.describe 'openstack-messaging::controller' do
  include_context 'with a controller'
  before { allow(OpenstackMessaging::Amqp).to receive(:login?).and_return(true) }

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
    expect(OpenstackMessaging::Amqp).to receive(:login?).with('192.0.2.10', 5672, 'openstack', 'user_passwords-openstack-password', ca: nil).and_return(true)
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
end
