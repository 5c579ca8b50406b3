# frozen_string_literal: true

provides :openstack_db_sync
unified_mode true

description 'Upgrades a service\'s database schema to the newest revision of the installed package, if alembic_version in the database differs from the migrations on disk.'

property :database, String, name_property: true, description: 'The database'
property :user, String, default: lazy { database }, desired_state: false, description: 'The database\'s user, whose password is in db_passwords'
property :run_as, String, default: lazy { user }, desired_state: false, description: 'The Unix user'
property :command, Array, required: true, desired_state: false, description: 'The command that upgrades the schema, such as glance-manage db_sync'
property :migrations, [String, Array], required: true, coerce: proc { |paths| Array(paths) }, desired_state: false, description: 'Directories of the package\'s migrations'
property :revisions, Array, default: lazy { OpenstackCommon::Alembic.heads(migrations) }, skip_docs: true

load_current_value do |desired|
  database = OpenstackCommon::Mariadb.new(desired.user, password: openstack_password('db_passwords', desired.user),
                                                        host: openstack_host('db'), port: openstack_port('db'), database: desired.database)
  table = database.query("SHOW TABLES LIKE 'alembic_version'")
  current_value_does_not_exist! if table.empty?

  revisions database.query('SELECT version_num FROM alembic_version ORDER BY version_num').flatten
end

action :sync do
  converge_if_changed :revisions do
    execute new_resource.command.join(' ') do
      command new_resource.command
      user new_resource.run_as
      group new_resource.run_as
      environment 'LC_ALL' => 'C.UTF-8', 'HOME' => "/var/lib/#{new_resource.run_as}"
      timeout 900
    end
  end
end
