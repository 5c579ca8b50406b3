# frozen_string_literal: true

RSpec.describe 'openstack_database' do
  platform 'debian', '13'
  step_into :openstack_database

  let(:answers) { [%w(utf8mb3 18)] }
  let(:login) { true }
  let(:statements) { [] }

  before do
    root = instance_double(OpenstackCommon::Mariadb)
    allow(OpenstackCommon::Mariadb).to receive(:root).and_return(root)
    allow(OpenstackCommon::Mariadb).to receive(:new).and_return(instance_double(OpenstackCommon::Mariadb, login?: login))
    allow(root).to receive(:query) do |sql, **_|
      next answers if sql.include?('information_schema.schemata')

      statements << sql
    end
  end

  recipe do
    openstack_database 'nova_api' do
      user 'nova'
      password 's3cr\'et'
    end
  end

  it 'changes nothing if everything is up to date' do
    chef_run
    expect(statements).to be_empty
  end

  context 'without a database and a user' do
    let(:answers) { [] }
    let(:login) { false }

    it 'creates the database, its user and the grant' do
      chef_run
      expect(statements.join("\n")).to match(/CREATE DATABASE.*`nova_api`.*ALTER USER 'nova'@'%' IDENTIFIED BY 's3cr\\'et'.*GRANT ALL PRIVILEGES ON `nova_api`\.\* TO 'nova'/m)
    end
  end

  context 'with another password' do
    let(:login) { false }

    it 'sets the password and nothing else' do
      chef_run
      expect(statements).to contain_exactly(/ALTER USER/)
    end
  end

  context 'without the grant' do
    let(:answers) { [%w(utf8mb3 0)] }

    it 'only grants the privileges' do
      chef_run
      expect(statements).to contain_exactly(/\AGRANT/)
    end
  end
end
