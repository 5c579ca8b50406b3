# frozen_string_literal: true

require_relative '../cloud'

RSpec.describe 'openstack_project' do
  include_context 'with a cloud'
  step_into :openstack_project

  recipe do
    openstack_project 'demo'
    openstack_project('web') { description 'shop' }
  end

  it 'creates the missing one and leaves the other one alone' do
    chef_run
    expect(changes).to eq([[:create, 'projects', { description: 'shop', enabled: true, name: 'web' }]])
  end
end

RSpec.describe 'openstack_user' do
  include_context 'with a cloud'
  step_into :openstack_user

  let(:passwords) { { 'demo' => 'user_passwords-demo-password' } }
  let(:held_roles) { %w(member reader) }

  before { keystone_objects['users'] << { 'id' => 'id-demo', 'name' => 'demo', 'email' => 'kept' } }

  recipe do
    openstack_user('demo') { project 'demo' }
  end

  it_behaves_like 'up to date'

  context 'without the user' do
    let(:held_roles) { [] }

    before { keystone_objects['users'].clear }

    it 'creates it with the password of the data bag, and assigns the role' do
      chef_run
      expect(changes).to eq(
        [[:create, 'users', { password: 'user_passwords-demo-password', name: 'demo', default_project_id: 'id-demo' }],
         [:assign, 'id-demo', 'id-demo', 'id-member']]
      )
    end
  end

  context 'when the password no longer logs in' do
    let(:passwords) { {} }

    it 'sets it' do
      chef_run
      expect(changes).to eq([[:update, 'users', 'id-demo', { password: 'user_passwords-demo-password' }]])
    end
  end

  context 'when a role is missing' do
    let(:held_roles) { %w(reader) }

    it 'assigns it' do
      chef_run
      expect(changes).to eq([[:assign, 'id-demo', 'id-demo', 'id-member']])
    end
  end
end
