# frozen_string_literal: true

RSpec.describe 'openstack_keystone_keys' do
  include_context 'with a controller'
  step_into :openstack_keystone_keys

  let(:present) { {} }

  before { allow(OpenstackIdentity::Keys).to receive(:read).and_return(present) }

  context 'with keys of the data bag' do
    recipe do
      openstack_keystone_keys('fernet') { keys 0 => 'staged', 10 => 'primary' }
    end

    it 'writes them so that only Keystone can read them' do
      expect(chef_run).to create_directory('/etc/keystone/fernet-keys').with(owner: 'keystone', mode: '0700')
      expect(chef_run).to create_file('/etc/keystone/fernet-keys/0').with(content: 'staged', owner: 'keystone', mode: '0600', sensitive: true)
      expect(chef_run).to create_file('/etc/keystone/fernet-keys/10').with(content: 'primary')
      expect(chef_run).not_to run_execute('keystone-manage fernet_setup')
      expect(chef_run).not_to run_execute('keystone-manage credential_migrate')
    end

    it 'writes the one that encrypts first' do
      paths = chef_run.find_resources(:file).map(&:path).grep(/fernet/)
      expect(paths).to eq(%w(/etc/keystone/fernet-keys/10 /etc/keystone/fernet-keys/0))
    end
  end

  context 'on a node with other keys' do
    let(:present) { { 0 => 'old staged', 1 => 'old primary' } }

    context 'of tokens' do
      recipe do
        openstack_keystone_keys('fernet') { keys 0 => 'staged', 10 => 'primary' }
      end

      it 'keeps them, so that tokens stay valid' do
        expect(chef_run).to create_file('/etc/keystone/fernet-keys/1').with(content: 'old staged')
        expect(chef_run).to create_file('/etc/keystone/fernet-keys/2').with(content: 'old primary')
      end
    end

    context 'of credentials' do
      recipe do
        openstack_keystone_keys('credential') { keys 0 => 'staged', 10 => 'primary' }
      end

      it 'encrypts them anew' do
        expect(chef_run).to run_execute('keystone-manage credential_migrate').with(user: 'keystone')
      end
    end

    context 'after a rotation' do
      let(:present) { { 0 => 'next', 1 => 'old', 10 => 'primary' } }

      recipe do
        openstack_keystone_keys('fernet') { keys 0 => 'new', 10 => 'primary', 11 => 'next' }
      end

      it 'removes them' do
        expect(chef_run).to delete_file('/etc/keystone/fernet-keys/1')
      end
    end
  end

  context 'with the same keys' do
    let(:present) { { 0 => 'staged', 1 => 'old', 10 => 'primary' } }

    recipe do
      openstack_keystone_keys('credential') { keys 0 => 'staged', 10 => 'primary' }
    end

    it 'encrypts nothing' do
      expect(chef_run).not_to run_execute('keystone-manage credential_migrate')
      expect(chef_run).to create_file('/etc/keystone/credential-keys/1').with(content: 'old')
    end
  end

  context 'without keys' do
    recipe { openstack_keystone_keys 'credential' }

    it 'lets Keystone generate its own once' do
      expect(chef_run).to run_execute('keystone-manage credential_setup').with(creates: '/etc/keystone/credential-keys/0')
    end
  end
end
