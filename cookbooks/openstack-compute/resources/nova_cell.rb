# frozen_string_literal: true

# Creates or updates a cell mapping in the database nova_api.
unified_mode true
provides :openstack_nova_cell

property :cell, String, name_property: true
property :queue, String, required: true, description: 'A template of its transport URL; none:/// for cell0'
property :database, String, required: true, description: 'A template of its database connection'
property :uuid, String, desired_state: false, skip_docs: true, description: 'Read from the existing mapping; recipes do not set it'

# Reads the database directly, because nova-manage takes seconds to start.
load_current_value do |desired|
  row = openstack_mariadb('nova', 'nova_api').query('SELECT uuid, transport_url, database_connection FROM cell_mappings ' \
                                                    "WHERE name = #{OpenstackCommon::Mariadb.quote(desired.cell)}").first
  current_value_does_not_exist! unless row

  uuid row.first
  queue row[1]
  database row[2]
end

action :create do
  converge_if_changed do
    urls = ['--transport-url', new_resource.queue,
            '--database_connection', new_resource.database]
    if current_resource
      nova_manage('update_cell', '--cell_uuid', current_resource.uuid, '--name', new_resource.cell, *urls)
    elsif new_resource.cell == 'cell0'
      nova_manage('map_cell0', *urls.last(2))
    else
      nova_manage('create_cell', '--name', new_resource.cell, *urls)
    end
  end
end

action_class do
  def nova_manage(*arguments)
    shell_out!('nova-manage', 'cell_v2', *arguments, user: 'nova', group: 'nova')
  end
end
