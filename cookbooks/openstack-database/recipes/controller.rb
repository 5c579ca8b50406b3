# frozen_string_literal: true

openstack_packages 'database' do
  packages %w(mariadb-server mariadb-client nftables)
end

openstack_config '/etc/mysql/mariadb.conf.d/99-openstack.cnf' do
  service 'db'
  group 'root'
  mode '0644'
  defaults(
    'mysqld' => {
      'bind-address' => openstack_bind_address('db'),
      'character-set-server' => 'utf8mb3',
      'collation-server' => 'utf8mb3_general_ci',
      'max_connections' => node['openstack']['db']['max_connections'],
      # a slow DNS server must not delay every login
      'skip-name-resolve' => 'on',
    }
  )
end

openstack_service 'mariadb' do
  ports [openstack_port('db')]
  internal_ports [openstack_port('db')]
  config '/etc/mysql/mariadb.conf.d/99-openstack.cnf'
  wait true
end

node['openstack']['db']['databases'].each do |name, owner|
  openstack_database name do
    user owner
    password openstack_password('db_passwords', owner)
  end
end
