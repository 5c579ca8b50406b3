# frozen_string_literal: true

# Types and meanings are in attributes.yml.

default['openstack']['mq']['user'] = 'openstack'
default['openstack']['mq']['node_name'] = 'rabbit@localhost'
default['openstack']['mq']['conf'] = {}
