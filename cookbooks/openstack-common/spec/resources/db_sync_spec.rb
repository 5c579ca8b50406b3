# frozen_string_literal: true

RSpec.describe 'openstack_db_sync' do
  include_context 'with a controller'
  step_into :openstack_db_sync

  let(:up_to_date) { true }

  before do
    database = instance_double(OpenstackCommon::Mariadb)
    allow(OpenstackCommon::Mariadb).to receive(:new).with('glance', hash_including(host: '192.0.2.10', database: 'glance')).and_return(database)
    schema = instance_double(OpenstackCommon::Schema, up_to_date?: up_to_date, path: '/schemas/glance', state: "the state\n")
    allow(OpenstackCommon::Schema).to receive(:new).with('glance', 'python3-glance', database).and_return(schema)
  end

  recipe do
    openstack_db_sync 'glance' do
      command %w(glance-manage db_sync)
    end
  end

  it 'changes nothing if the schema is up to date' do
    expect(chef_run).not_to run_execute('glance-manage db_sync')
    expect(chef_run).not_to create_file('/schemas/glance')
  end

  context 'with another schema' do
    let(:up_to_date) { false }

    it 'upgrades it as the service\'s user, and saves the result' do
      expect(chef_run).to run_execute('glance-manage db_sync').with(user: 'glance', group: 'glance')
      expect(chef_run).to create_file('/schemas/glance').with(content: "the state\n")
    end
  end
end
