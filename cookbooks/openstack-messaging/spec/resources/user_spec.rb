# frozen_string_literal: true

RSpec.describe 'openstack_messaging_user' do
  include_context 'with a controller'
  step_into :openstack_messaging_user
  default_attributes['openstack']['mq']['node_name'] = 'rabbit@localhost'

  let(:rabbitmq) do
    instance_double(OpenstackMessaging::Rabbitmq, user?: true, password?: true, permitted?: true,
                                                  create: nil, change_password: nil, permit: nil, delete: nil)
  end
  let(:changes) { %i(create change_password permit delete) }

  before { allow(OpenstackMessaging::Rabbitmq).to receive(:new).with('rabbit@localhost').and_return(rabbitmq) }

  def expect_only(**calls)
    chef_run
    calls.each { |change, arguments| expect(rabbitmq).to have_received(change).once.with(*arguments) }
    (changes - calls.keys).each { |change| expect(rabbitmq).not_to have_received(change) }
  end

  recipe do
    openstack_messaging_user('openstack') { password 'secret' }
  end

  it 'changes nothing if the user can log in and do everything' do
    expect_only
  end

  it 'creates a missing user' do
    allow(rabbitmq).to receive(:user?).and_return(false)
    expect_only(create: %w(openstack secret), permit: %w(openstack))
  end

  it 'only sets the password if the user cannot log in with it' do
    allow(rabbitmq).to receive(:password?).and_return(false)
    expect_only(change_password: %w(openstack secret))
  end

  context 'when deleting' do
    recipe { openstack_messaging_user('guest') { action :delete } }

    it 'deletes the user' do
      expect_only(delete: %w(guest))
    end

    it 'does nothing if there is none' do
      allow(rabbitmq).to receive(:user?).and_return(false)
      expect_only
    end
  end
end
