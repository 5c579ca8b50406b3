# frozen_string_literal: true

RSpec.describe 'openstack_identity_bootstrap' do
  include_context 'with a controller'
  step_into :openstack_identity_bootstrap

  let(:keystone) { instance_double(OpenstackCommon::Keystone, password?: true, endpoints: { 'public' => 'http://192.0.2.10:5000/v3' }) }

  before { allow(OpenstackCommon::Keystone).to receive(:new).and_return(keystone) }

  recipe do
    openstack_identity_bootstrap 'admin' do
      password 'secret'
      endpoints 'public' => 'http://192.0.2.10:5000/v3'
    end
  end

  it 'does nothing if the password and the endpoints are up to date' do
    expect(chef_run).not_to run_execute('keystone-manage bootstrap')
  end

  it 'bootstraps a new Keystone, with the password in the environment only' do
    allow(keystone).to receive(:password?).and_return(false)
    expect(chef_run).to run_execute('keystone-manage bootstrap').with(
      command: %w(keystone-manage bootstrap --bootstrap-username admin --bootstrap-region-id RegionOne --bootstrap-public-url http://192.0.2.10:5000/v3),
      environment: { 'OS_BOOTSTRAP_PASSWORD' => 'secret' }, sensitive: true
    )
  end

  it 'bootstraps again if an earlier run ended before the user had a role, so that no token can be had' do
    refused = OpenstackCommon::Keystone::Error.new('401', 401)
    allow(keystone).to receive(:password?) { |_, _, project: nil| project.nil? }
    allow(keystone).to receive(:endpoints).and_raise(refused)
    expect(chef_run).to run_execute('keystone-manage bootstrap')
  end

  it 'bootstraps again if the URL of an endpoint changed' do
    allow(keystone).to receive(:endpoints).and_return('public' => 'http://198.51.100.1:5000/v3')
    expect(chef_run).to run_execute('keystone-manage bootstrap')
  end
end
