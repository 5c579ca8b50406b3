# frozen_string_literal: true

provides :openstack_database
unified_mode true

description 'Creates a database in the MariaDB of this node, and its user, who gets all privileges on it. Several databases may have the same user.'

property :database, String, name_property: true, regex: /\A\w+\z/
property :user, String, default: lazy { database }, regex: /\A\w+\z/, desired_state: false
property :password, String, required: true, sensitive: true
property :charset, String, default: 'utf8mb3', regex: /\A\w+\z/
property :granted, [true, false], default: true, skip_docs: true

load_current_value do |desired|
  found = OpenstackCommon::Mariadb.root.query(
    'SELECT default_character_set_name, (SELECT COUNT(*) FROM information_schema.schema_privileges WHERE table_schema = schema_name ' \
    "AND grantee = \"'#{desired.user}'@'%'\") FROM information_schema.schemata WHERE schema_name = '#{desired.database}'"
  )
  current_value_does_not_exist! if found.empty?

  charset found.first.first
  granted found.first.last.to_i > 1
  login = OpenstackCommon::Mariadb.new(desired.user, password: desired.password, host: openstack_bind_address('db'), port: openstack_port('db'),
                                                     ca: openstack_internal_ca)
  password login.login? ? desired.password : ''
end

action :create do
  converge_if_changed :charset do
    sql "CREATE DATABASE IF NOT EXISTS `#{new_resource.database}`"
    sql "ALTER DATABASE `#{new_resource.database}` CHARACTER SET #{new_resource.charset}"
  end
  converge_if_changed :password do
    account = "'#{new_resource.user}'@'%' IDENTIFIED BY #{OpenstackCommon::Mariadb.quote(new_resource.password)}"
    sql "CREATE USER IF NOT EXISTS #{account}; ALTER USER #{account}"
  end
  converge_if_changed :granted do
    sql "GRANT ALL PRIVILEGES ON `#{new_resource.database}`.* TO '#{new_resource.user}'@'%'"
  end
end

action_class do
  def sql(statements)
    OpenstackCommon::Mariadb.root.query(statements, secrets: [new_resource.password])
  end
end
