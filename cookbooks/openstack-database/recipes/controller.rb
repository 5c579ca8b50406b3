# frozen_string_literal: true

openstack_packages 'database' do
  packages %w(mariadb-server mariadb-client nftables)
end

include_recipe 'openstack-database::_member' if openstack_member?

openstack_tls_files 'mysql'

tls = openstack_tls_paths('mysql') if openstack_tls_all?
config = '/etc/mysql/mariadb.conf.d/99-openstack.cnf'
# a renewed certificate and its key need no restart; see below
files = [config, *tls&.fetch(:ca)]

if openstack_member?
  openstack_galera_member 'before its configuration' do
    address openstack_bind_address('db')
    peers openstack_peers.to_h(&:to_a)
    first openstack_first_member?
    databases node['openstack']['db']['databases'].keys
    config files
    action :prepare
  end
end

openstack_config config do
  service 'db'
  group 'root'
  mode '0644'
  defaults(lazy do
    Chef::Mixin::DeepMerge.merge(
      {
        'mysqld' => {
          'bind-address' => openstack_bind_address('db'),
          'character-set-server' => 'utf8mb3',
          'collation-server' => 'utf8mb3_general_ci',
          # the clients of all controllers use the same member
          'max_connections' => node['openstack']['db']['max_connections'] * (openstack_member? ? openstack_members.size : 1),
          # a slow DNS server must not delay every login
          'skip-name-resolve' => 'on',
          'ssl-ca' => tls&.fetch(:ca),
          'ssl-cert' => tls&.fetch(:certificate),
          'ssl-key' => tls&.fetch(:key),
        },
      },
      openstack_galera_options(tls)
    )
  end)
end

if openstack_member?
  openstack_galera_member openstack_bind_address('db') do
    peers openstack_peers.to_h(&:to_a)
    first openstack_first_member?
    databases node['openstack']['db']['databases'].keys
    through "#{openstack_host('db')}:#{openstack_port('db')}" if openstack_runs?('openstack-ha::controller')
    config files
  end
end

openstack_service 'mariadb' do
  ports [openstack_port('db')]
  internal_ports [openstack_port('db'), *(OpenstackDatabase::Galera::PORTS if openstack_member?)]
  config files
  wait true
end

if tls
  certificate = tls.values_at(:certificate, :key)
  loaded = OpenstackDatabase::Certificate::LOADED

  # Sessions go on. New ones use the renewed certificate, and so do new connections between the members of a cluster.
  execute 'load the renewed certificate into MariaDB' do
    command "mariadb --execute=\"#{OpenstackDatabase::Certificate.reload(cluster: openstack_member?)}\" && touch #{loaded}"
    not_if { OpenstackDatabase::Certificate.loaded?(certificate) }
  end
end

node['openstack']['db']['databases'].each do |name, owner|
  openstack_database name do
    user owner
    password openstack_password('db_passwords', owner)
  end
end
