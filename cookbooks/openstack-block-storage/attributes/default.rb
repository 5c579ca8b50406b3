# frozen_string_literal: true

# Types and meanings are in attributes.yml.

default['openstack']['block_storage']['backend'] = nil
default['openstack']['block_storage']['backup'] = nil
default['openstack']['block_storage']['lvm']['volume_group'] = 'cinder-volumes'
default['openstack']['block_storage']['lvm']['devices'] = []
default['openstack']['block_storage']['uwsgi']['processes'] = 1
default['openstack']['block_storage']['uwsgi']['threads'] = 1
default['openstack']['block_storage']['conf'] = {}
default['openstack']['db']['databases']['cinder'] = 'cinder'
