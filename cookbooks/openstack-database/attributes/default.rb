# frozen_string_literal: true

# Each database and its user; the users' passwords are in the data bag db_passwords.
default['openstack']['db']['databases'] = {
  'keystone' => 'keystone',
  'glance' => 'glance',
  'placement' => 'placement',
  'nova' => 'nova',
  'nova_api' => 'nova',
  'nova_cell0' => 'nova',
  'neutron' => 'neutron',
}

# openstack.db.conf.mysqld.KEY sets any option of MariaDB, and overrides this one.
default['openstack']['db']['max_connections'] = 1024
