# frozen_string_literal: true

RSpec.describe 'openstack_nova_cell' do
  include_context 'with a controller'
  platform 'debian', '13'
  step_into :openstack_nova_cell

  recipe do
    openstack_nova_cell 'cell1' do
      queue '{scheme}://{hostname}'
      database '{scheme}://{hostname}/{path}'
    end
  end

  def with_mapping(*row)
    allow_any_instance_of(OpenstackCommon::Mariadb).to receive(:query).with(/FROM cell_mappings WHERE name = 'cell1'/).and_return(row)
  end

  def manage(*arguments)
    receive_shell_out('nova-manage', 'cell_v2', *arguments, '--transport-url', '{scheme}://{hostname}',
                      '--database_connection', '{scheme}://{hostname}/{path}', user: 'nova', group: 'nova')
  end

  it 'creates a missing mapping' do
    with_mapping
    stubs_for_provider('openstack_nova_cell[cell1]') { |provider| expect(provider).to manage('create_cell', '--name', 'cell1') }
    chef_run
  end

  it 'updates a mapping with other URLs' do
    with_mapping(['u-1', '{scheme}://{hostname}', 'mysql://old'])
    stubs_for_provider('openstack_nova_cell[cell1]') do |provider|
      expect(provider).to manage('update_cell', '--cell_uuid', 'u-1', '--name', 'cell1')
    end
    chef_run
  end

  it 'does not run nova-manage if the mapping is up to date' do
    with_mapping(['u-1', '{scheme}://{hostname}', '{scheme}://{hostname}/{path}'])
    expect(chef_run.find_resource(:openstack_nova_cell, 'cell1')).not_to be_updated_by_last_action
  end
end
