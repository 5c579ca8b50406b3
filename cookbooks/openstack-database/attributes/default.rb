# frozen_string_literal: true

# Types and meanings are in attributes.yml.

default['openstack']['db']['databases'] = {
  'keystone' => 'keystone',
  'glance' => 'glance',
  'placement' => 'placement',
  'nova' => 'nova',
  'nova_api' => 'nova',
  'nova_cell0' => 'nova',
  'neutron' => 'neutron',
}
default['openstack']['db']['max_connections'] = 1024
