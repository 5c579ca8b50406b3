# frozen_string_literal: true

RSpec.describe 'openstack_keystone_keys' do
  include_context 'with a controller'
  step_into :openstack_keystone_keys

  let(:present) { {} }
  let(:encrypted_with) { [] } # the keys with which Keystone has encrypted credentials in the database
  let(:database) { instance_double(OpenstackCommon::Mariadb) }

  before do
    allow(OpenstackIdentity::Keys).to receive(:read).and_return(present)
    stub_data_bag_item('db_passwords', 'keystone').and_return('keystone' => 'password')
    allow(OpenstackCommon::Mariadb).to receive(:new).with('keystone', hash_including(database: 'keystone')).and_return(database)
    allow(database).to receive(:query) do |sql|
      encrypted_with.any? { |key| sql.include?("'#{Digest::SHA1.hexdigest(key)}'") } ? [['1']] : []
    end
  end

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

      it 'encrypts nothing if nothing is encrypted with them' do
        expect(chef_run).not_to run_execute('keystone-manage credential_migrate')
      end

      context 'with which some are encrypted' do
        let(:encrypted_with) { ['primary', 'old primary'] }

        it 'encrypts them anew' do
          expect(chef_run).to run_execute('keystone-manage credential_migrate').with(user: 'keystone')
        end
      end

      context 'with which only another node can decrypt' do
        let(:encrypted_with) { ['of another node'] }

        it 'leaves that to the other node' do
          expect(chef_run).not_to run_execute('keystone-manage credential_migrate')
        end
      end
    end

    context 'after a rotation' do
      let(:present) { { 0 => 'next', 1 => 'old', 10 => 'primary' } }

      recipe do
        openstack_keystone_keys('fernet') { keys 0 => 'new', 10 => 'primary', 11 => 'next' }
      end

      it 'removes them, and keeps no copies' do
        expect(chef_run).to delete_file('/etc/keystone/fernet-keys/1').with(backup: false)
        expect(chef_run).to create_file('/etc/keystone/fernet-keys/0').with(backup: false)
      end
    end

    context 'after a rotation of those of credentials' do
      let(:present) { { 0 => 'next', 1 => 'old', 10 => 'primary' } }
      let(:encrypted_with) { ['old'] }

      recipe do
        openstack_keystone_keys('credential') { keys 0 => 'new', 10 => 'primary', 11 => 'next' }
      end

      it 'encrypts credentials anew before it removes the keys that decrypt them' do
        steps = chef_run.resource_collection.all_resources.map(&:name)
        migration = steps.index('keystone-manage credential_migrate')
        expect(chef_run).to run_execute('keystone-manage credential_migrate')
        expect(chef_run).to delete_file('/etc/keystone/credential-keys/1')
        expect(migration).to be > steps.index('/etc/keystone/credential-keys/0')
        expect(migration).to be < steps.index('/etc/keystone/credential-keys/1')
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

    context 'after a converge that could not encrypt credentials anew' do
      let(:encrypted_with) { ['old'] }

      it 'does so' do
        expect(chef_run).to run_execute('keystone-manage credential_migrate')
      end
    end

    context 'without a database' do
      before { allow(database).to receive(:query).and_raise(OpenstackCommon::Mariadb::Error, 'MariaDB, user keystone: down') }

      it 'fails' do
        expect { chef_run }.to raise_error(OpenstackCommon::Mariadb::Error, /down/)
      end
    end
  end

  context 'without keys' do
    recipe { openstack_keystone_keys 'credential' }

    it 'lets Keystone generate its own once' do
      expect(chef_run).to run_execute('keystone-manage credential_setup').with(creates: '/etc/keystone/credential-keys/0')
    end
  end
end
