# frozen_string_literal: true

# Types and meanings are in attributes.yml.

# one by one, because the attributes of other cookbooks add theirs, and may be loaded before
{
  'keystone' => 'keystone',
  'glance' => 'glance',
  'placement' => 'placement',
  'nova' => 'nova',
  'nova_api' => 'nova',
  'nova_cell0' => 'nova',
  'neutron' => 'neutron',
}.each { |database, user| default['openstack']['db']['databases'][database] = user }
default['openstack']['db']['max_connections'] = 1024
