# frozen_string_literal: true

# What the commands ceph and rbd were given, and the state that they show.
RSpec.shared_context 'with a Ceph cluster' do
  include_context 'with a controller'

  let(:pools) { [{ 'pool_name' => 'volumes', 'application_metadata' => { 'rbd' => {} } }] }
  let(:users) { [{ 'entity' => 'client.cinder', 'key' => 'KEY', 'caps' => { 'mon' => 'profile rbd' } }] }
  let(:ran) { [] }
  let(:input) { [] }

  before do
    lists = { 'pool ls' => pools, 'auth ls' => { 'auth_dump' => users } }
    allow(Mixlib::ShellOut).to receive(:new) do |argv, **options|
      command = argv.grep_v(/\A--/).join(' ')
      list = lists.find { |words, _| command.include?(words) }
      list || (ran << command) && (input << options[:input])
      instance_double(Mixlib::ShellOut, error?: false, stdout: JSON.generate(list&.last)).tap { |shell| allow(shell).to receive(:run_command).and_return(shell) }
    end
  end
end

RSpec.describe 'openstack_ceph_pool' do
  include_context 'with a Ceph cluster'
  step_into :openstack_ceph_pool

  recipe do
    openstack_ceph_pool 'volumes'
  end

  it 'leaves an initialized pool alone' do
    chef_run
    expect(ran).to be_empty
  end

  context 'without the pool' do
    let(:pools) { [] }

    it 'creates and initializes it' do
      chef_run
      expect(ran).to eq(['ceph osd pool create volumes', 'rbd pool init volumes'])
    end
  end

  context 'when an earlier run was interrupted' do
    let(:pools) { [{ 'pool_name' => 'volumes', 'application_metadata' => {} }] }

    it 'initializes it' do
      chef_run
      expect(ran).to eq(['rbd pool init volumes'])
    end
  end
end

RSpec.describe 'openstack_ceph_user' do
  include_context 'with a Ceph cluster'
  step_into :openstack_ceph_user

  recipe do
    openstack_ceph_user 'client.cinder' do
      key 'KEY'
      caps 'mon' => 'profile rbd'
    end
  end

  it 'leaves it alone if key and capabilities are right' do
    chef_run
    expect(ran).to be_empty
  end

  { 'another key' => { 'key' => 'OLD' }, 'other capabilities' => { 'caps' => {} } }.each do |what, difference|
    context "with #{what}" do
      let(:users) { [{ 'entity' => 'client.cinder', 'key' => 'KEY', 'caps' => { 'mon' => 'profile rbd' } }.merge(difference)] }

      it 'replaces it without showing the key' do
        chef_run
        expect(ran).to eq(['ceph auth import'])
        expect(input).to eq(["[client.cinder]\n\tkey = KEY\n\tcaps mon = \"profile rbd\"\n"])
      end
    end
  end
end
