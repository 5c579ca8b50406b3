# frozen_string_literal: true

# Each database and the user who owns it; the users' passwords are in the data bag db_passwords.
default['openstack']['db']['databases'] = {
  'keystone' => 'keystone',
  'glance' => 'glance',
  'placement' => 'placement',
  'nova' => 'nova',
  'nova_api' => 'nova',
  'nova_cell0' => 'nova',
  'neutron' => 'neutron',
}

# Over these, openstack.db.conf.mysqld.KEY sets any option of MariaDB.
default['openstack']['db']['max_connections'] = 1024
