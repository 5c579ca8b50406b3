# frozen_string_literal: true

require_relative '../cloud'

RSpec.describe 'openstack_flavor' do
  include_context 'with a cloud'
  step_into :openstack_flavor

  let(:flavor) do
    { 'id' => '7', 'name' => 'm1.tiny', 'ram' => 256, 'disk' => 1, 'vcpus' => 1, 'swap' => '', 'OS-FLV-EXT-DATA:ephemeral' => 0,
      'os-flavor-access:is_public' => true, 'description' => 'mine', 'extra_specs' => { 'hw:a' => 'true', 'other' => 'kept' } }
  end
  let(:nova) do
    { '/flavors/detail' => [flavor].compact, '/flavors/7/os-extra_specs' => { 'extra_specs' => { 'other' => 'kept' } },
      '/flavors/7/os-flavor-access' => { 'flavor_access' => [{ 'tenant_id' => 'id-demo' }] } }
  end

  recipe do
    openstack_flavor 'm1.tiny' do
      ram 256
      disk 1
      extra_specs 'hw:a' => true
    end
  end

  it_behaves_like 'up to date'

  context 'without the flavor' do
    let(:flavor) { nil }

    it 'creates it' do
      chef_run
      expect(changes).to match(
        [[:post, '/flavors', { flavor: include(name: 'm1.tiny', ram: 256, disk: 1, vcpus: 1, 'os-flavor-access:is_public' => true) }],
         [:post, '/flavors/new/os-extra_specs', { extra_specs: { 'hw:a' => 'true' } }]]
      )
    end
  end

  context 'with another extra spec' do
    before { flavor['extra_specs']['hw:a'] = 'false' }

    it 'sets it and nothing else' do
      chef_run
      expect(changes).to eq([[:post, '/flavors/7/os-extra_specs', { extra_specs: { 'hw:a' => 'true' } }]])
    end
  end

  context 'with another size' do
    before { flavor['ram'] = 512 }

    it 'replaces it, and keeps ID, description and extra specs' do
      chef_run
      expect(changes).to match(
        [[:delete, '/flavors/7'], [:post, '/flavors', { flavor: include(id: '7', ram: 256, description: 'mine') }],
         [:post, '/flavors/7/os-extra_specs', { extra_specs: { 'other' => 'kept' } }]]
      )
    end
  end

  context 'when a private one gets another size' do
    before { flavor.merge!('vcpus' => 2, 'os-flavor-access:is_public' => false) }

    recipe do
      openstack_flavor 'm1.tiny' do
        ram 256
        disk 1
        public false
      end
    end

    it 'keeps the projects that may use it' do
      chef_run
      expect(changes.last).to eq([:post, '/flavors/7/action', { addTenantAccess: { tenant: 'id-demo' } }])
    end
  end
end

RSpec.describe 'openstack_keypair' do
  include_context 'with a cloud'
  step_into :openstack_keypair

  let(:nova) { { '/os-keypairs' => [{ 'keypair' => { 'name' => 'work', 'public_key' => key } }] } }
  let(:key) { 'ssh-ed25519 AAAA alice' }

  recipe do
    openstack_keypair 'work' do
      public_key "ssh-ed25519 AAAA alice\n"
    end
  end

  it_behaves_like 'up to date'

  context 'with another key' do
    let(:key) { 'ssh-rsa BBBB' }

    it 'replaces it' do
      chef_run
      expect(changes).to eq(
        [[:delete, '/os-keypairs/work?user_id=id-admin'],
         [:post, '/os-keypairs', { keypair: { name: 'work', type: 'ssh', public_key: 'ssh-ed25519 AAAA alice', user_id: 'id-admin' } }]]
      )
    end
  end
end

RSpec.describe 'openstack_quota' do
  include_context 'with a cloud'
  step_into :openstack_quota

  let(:nova) { { '/os-quota-sets/id-demo' => { 'quota_set' => { 'instances' => 10, 'cores' => 20 } } } }
  let(:neutron) { { '/v2.0/quotas/id-demo' => { 'quota' => { 'floatingip' => 50 } } } }
  let(:cinder) { { '/os-quota-sets/id-demo' => { 'quota_set' => { 'gigabytes' => 1000, 'volumes' => 10 } } } }

  recipe do
    openstack_quota 'demo' do
      compute 'instances' => 10
      network 'floatingip' => '5'
    end
  end

  it 'sets those that differ, and asks no service about others' do
    chef_run
    expect(changes).to eq([[:put, '/v2.0/quotas/id-demo', { quota: { 'floatingip' => 5 } }]])
  end

  context 'with quotas of Cinder' do
    default_attributes['openstack']['endpoints']['internal']['block_storage']['host'] = '192.0.2.10'

    recipe do
      openstack_quota 'demo' do
        volume 'volumes' => 10, 'gigabytes' => 50
      end
    end

    it 'sets them if one differs' do
      chef_run
      expect(changes).to eq([[:put, '/os-quota-sets/id-demo', { quota_set: { 'volumes' => 10, 'gigabytes' => 50 } }]])
    end
  end
end
