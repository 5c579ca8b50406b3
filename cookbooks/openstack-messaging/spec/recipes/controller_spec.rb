# frozen_string_literal: true

RSpec.describe 'openstack-messaging::controller' do
  include_context 'with a controller'

  it 'listens at the node\'s own address' do
    expect(chef_run).to render_file('/etc/rabbitmq/rabbitmq.conf').with_content(/^listeners\.tcp\.1 = 192\.0\.2\.10:5672$/)
  end

  it 'creates the user of the services, and deletes guest' do
    expect(chef_run).to create_openstack_messaging_user('openstack').with(password: 'user_passwords-openstack-password')
    expect(chef_run).to delete_openstack_messaging_user('guest')
  end

  context 'with options from the environment' do
    override_attributes['openstack']['mq']['conf'] = { 'heartbeat' => 30 }

    it 'writes them' do
      expect(chef_run).to render_file('/etc/rabbitmq/rabbitmq.conf').with_content(/^heartbeat = 30$/)
    end
  end
end
