# frozen_string_literal: true

RSpec.describe 'openstack_messaging_user' do
  include_context 'with a controller'
  step_into :openstack_messaging_user
  default_attributes['openstack']['mq']['node_name'] = 'rabbit@localhost'

  let(:rabbitmq) { instance_double(OpenstackMessaging::Rabbitmq, user?: true, password?: true, permitted?: true) }
  let(:asked) { [] }

  before do
    allow(OpenstackMessaging::Rabbitmq).to receive(:new).with('rabbit@localhost').and_return(rabbitmq)
    allow_any_instance_of(Chef::Provider).to receive(:shell_out!) { |_, *argv, **options| asked << [argv.drop(4), options[:input]] }
  end

  recipe do
    openstack_messaging_user('openstack') { password 'secret' }
  end

  it 'changes nothing if the user can log in and do everything' do
    chef_run
    expect(asked).to be_empty
  end

  it 'makes a missing user; the password goes in by stdin' do
    allow(rabbitmq).to receive(:user?).and_return(false)
    chef_run
    expect(asked).to eq([[%w(add_user openstack), 'secret'], [%w(set_permissions openstack .* .* .*), nil]])
  end

  it 'sets a password that no longer logs in, and nothing else' do
    allow(rabbitmq).to receive(:password?).and_return(false)
    chef_run
    expect(asked).to eq([[%w(change_password openstack), 'secret']])
  end

  context 'when deleting' do
    recipe { openstack_messaging_user('guest') { action :delete } }

    it 'deletes the user' do
      chef_run
      expect(asked).to eq([[%w(delete_user guest), nil]])
    end

    it 'does nothing if there is none' do
      allow(rabbitmq).to receive(:user?).and_return(false)
      chef_run
      expect(asked).to be_empty
    end
  end
end
