# frozen_string_literal: true

# Types and meanings are in attributes.yml.

default['openstack']['orchestration']['uwsgi']['processes'] = 1
default['openstack']['orchestration']['uwsgi']['threads'] = 4

default['openstack']['orchestration']['conf'] = {}

# What other recipes do for Heat if they are on the same node. Set both in the environment if they are on other nodes.
default['openstack']['db']['databases']['heat'] = 'heat'
default['openstack']['dashboard']['plugins']['heat'] = 'python3-heat-dashboard'
