# frozen_string_literal: true

# Types and meanings are in attributes.yml.

default['openstack']['placement']['uwsgi']['processes'] = 1
default['openstack']['placement']['uwsgi']['threads'] = 1
default['openstack']['placement']['conf'] = {}
