# frozen_string_literal: true

RSpec.describe 'openstack_db_sync' do
  include_context 'with a controller'
  step_into :openstack_db_sync

  let(:rows) { [['2024_1_contract01']] }

  before do
    database = instance_double(OpenstackCommon::Mariadb)
    allow(OpenstackCommon::Mariadb).to receive(:new).with('glance', hash_including(host: '192.0.2.10', database: 'glance')).and_return(database)
    allow(database).to receive(:query) { |sql| sql.include?('SHOW TABLES') && rows.any? ? [['alembic_version']] : rows }
    allow(OpenstackCommon::Alembic).to receive(:heads).with(['/migrations']).and_return(['2024_1_contract01'])
  end

  recipe do
    openstack_db_sync 'glance' do
      command %w(glance-manage db_sync)
      migrations '/migrations'
    end
  end

  it 'changes nothing if the schema has the newest revision' do
    expect(chef_run).not_to run_execute('glance-manage db_sync')
  end

  context 'with an older schema' do
    let(:rows) { [['2023_2_contract01']] }

    it 'upgrades it as the service\'s user' do
      expect(chef_run).to run_execute('glance-manage db_sync').with(user: 'glance', group: 'glance')
    end
  end

  context 'with an empty database' do
    let(:rows) { [] }

    it 'creates the schema' do
      expect(chef_run).to run_execute('glance-manage db_sync')
    end
  end
end
