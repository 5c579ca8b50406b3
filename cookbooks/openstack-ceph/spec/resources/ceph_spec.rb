# frozen_string_literal: true

# What the commands ceph and rbd were given, and the state that they show.
RSpec.shared_context 'with a Ceph cluster' do
  include_context 'with a controller'

  let(:pools) { [{ 'pool_name' => 'volumes', 'application_metadata' => { 'rbd' => {} }, 'size' => 1, 'crush_rule' => 0 }] }
  let(:hosts) { [{ 'type' => 'host', 'name' => 'one', 'children' => [0] }] }
  let(:rule) { { 'rule_id' => 0, 'steps' => [{ 'op' => 'take' }, { 'op' => 'chooseleaf_firstn', 'type' => 'host' }] } }
  let(:users) { [{ 'entity' => 'client.cinder', 'key' => 'KEY', 'caps' => { 'mon' => 'profile rbd' } }] }
  let(:ran) { [] }
  let(:input) { [] }

  before do
    lists = { 'pool ls' => pools, 'auth ls' => { 'auth_dump' => users }, 'osd tree' => { 'nodes' => hosts }, 'rule dump' => [rule] }
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

  context 'with more nodes' do
    let(:hosts) { %w(one two three four).map { |name| { 'type' => 'host', 'name' => name, 'children' => [name.length] } } }

    recipe do
      openstack_ceph_pool('volumes') { action :replicate }
      openstack_ceph_pool('.mgr') { action :replicate } # which does not exist
    end

    it 'stores its data on three of them' do
      chef_run
      expect(ran).to eq(['ceph osd pool set volumes size 3', 'ceph osd pool set volumes min_size 2'])
    end

    context 'when copies may be on the same node' do
      let(:rule) { super().merge('steps' => [{ 'op' => 'choose_firstn', 'type' => 'osd' }]) }

      it 'keeps them apart' do
        chef_run
        expect(ran).to include('ceph osd crush rule create-replicated by_host default host', 'ceph osd pool set volumes crush_rule by_host')
      end
    end

    context 'when it is stored three times' do
      let(:pools) { super().map { |pool| pool.merge('size' => 3) } }

      it 'leaves it alone, even if a node is gone' do
        hosts.pop(2)
        chef_run
        expect(ran).to be_empty
      end
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
