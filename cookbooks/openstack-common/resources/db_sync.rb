# frozen_string_literal: true

provides :openstack_db_sync
unified_mode true

description 'Upgrades a service\'s database schema to the newest revision, if the package has another version than at the last upgrade, or the database another revision.'

property :database, String, name_property: true, description: 'The database'
property :user, String, default: lazy { database }, desired_state: false, description: 'The database\'s user, whose password is in db_passwords'
property :run_as, String, default: lazy { user }, desired_state: false, description: 'The Unix user'
property :command, Array, required: true, desired_state: false, description: 'The command that upgrades the schema, such as glance-manage db_sync'
property :package, String, default: lazy { "python3-#{user}" }, desired_state: false, description: 'The Debian package that contains the migrations'
property :up_to_date, [true, false], default: true, skip_docs: true

load_current_value do |desired|
  up_to_date desired.schema.up_to_date?(desired.saved_by_peers)
end

action :sync do
  converge_if_changed :up_to_date do
    execute new_resource.command.join(' ') do
      command new_resource.command
      user new_resource.run_as
      group new_resource.run_as
      environment 'LC_ALL' => 'C.UTF-8', 'HOME' => "/var/lib/#{new_resource.run_as}"
      timeout 900
    end

    directory OpenstackCommon::Schema::DIRECTORY do
      recursive true
    end

    file new_resource.schema.path do
      content new_resource.schema.state
    end
  end
  # of several controllers, one upgrades the schema for all
  node.default['openstack']['schemas'][new_resource.database] = new_resource.schema.state if openstack_member?
end

# @return [OpenstackCommon::Schema]
def schema
  OpenstackCommon::Schema.new(database, package, openstack_mariadb(user, database))
end

# @return [Array<String>] what other controllers that share the database have saved in their node objects
def saved_by_peers
  return [] unless openstack_member?

  node.run_state[:openstack_schemas] ||= openstack_peers.filter_map do |peer|
    Chef::Node.load(peer.name).read('openstack', 'schemas').to_h
  rescue Net::HTTPClientException => e
    raise unless e.response.code == '404'
  end
  node.run_state[:openstack_schemas].filter_map { |schemas| schemas[database] }
end
