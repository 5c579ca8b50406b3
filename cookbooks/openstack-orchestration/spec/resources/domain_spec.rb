# frozen_string_literal: true

RSpec.describe 'openstack_orchestration_domain' do
  include_context 'with a controller'
  step_into :openstack_orchestration_domain

  let(:changes) { [] }
  let(:domains) { [{ 'id' => 'd', 'name' => 'heat' }] }
  let(:users) { [{ 'id' => 'u', 'name' => 'heat_domain_admin' }] }
  let(:roles) { %w(admin) }
  let(:password) { 'service_passwords-heat_domain_admin-password' }

  # A fake Keystone, which records the changes.
  let(:keystone) do
    instance_double(OpenstackCommon::Keystone).tap do |keystone|
      allow(keystone).to receive(:find).with('domains', 'heat') { domains.first }
      allow(keystone).to receive(:find).with('users', 'heat_domain_admin', domain: 'd') { users.first }
      allow(keystone).to receive(:find).with('roles', 'admin').and_return('id' => 'r')
      allow(keystone).to receive(:password?) { |_, given, domain:| domain == 'd' && given == password }
      allow(keystone).to receive(:roles_of).with('u', 'd', on: 'domains') { roles }
      allow(keystone).to receive(:create) { |kind, attributes| record(kind, attributes) }
      allow(keystone).to receive(:update) { |*arguments| changes << [:update, *arguments] }
      allow(keystone).to receive(:assign) { |*arguments, **options| changes << [:assign, *arguments, options] }
    end
  end

  before { allow(OpenstackCommon::Keystone).to receive(:new).and_return(keystone) }

  recipe do
    openstack_orchestration_domain('heat') { admin 'heat_domain_admin' }
  end

  def record(kind, attributes)
    changes << [:create, kind, *attributes.values_at(:name, :domain_id)]
    kind == 'domains' ? domains << { 'id' => 'd' } : users << { 'id' => 'u' }
  end

  it 'changes nothing if everything is up to date' do
    chef_run
    expect(changes).to be_empty
  end

  context 'with neither domain nor administrator' do
    before { [domains, users].each(&:clear) }

    it 'creates them, and grants the role on the domain' do
      chef_run
      expect(changes).to eq([[:create, 'domains', 'heat', nil], [:create, 'users', 'heat_domain_admin', 'd'], [:assign, 'u', 'd', 'r', { on: 'domains' }]])
    end
  end

  context 'when the password no longer logs in' do
    let(:password) { 'another' }

    it 'sets it' do
      chef_run
      expect(changes).to eq([[:update, 'users', 'u', { password: 'service_passwords-heat_domain_admin-password' }]])
    end
  end

  context 'without the role on the domain' do
    let(:roles) { [] }

    it 'grants it' do
      chef_run
      expect(changes).to eq([[:assign, 'u', 'd', 'r', { on: 'domains' }]])
    end
  end
end
