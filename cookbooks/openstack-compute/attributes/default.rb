# frozen_string_literal: true

# Types and meanings are in attributes.yml.

default['openstack']['compute']['api']['uwsgi']['processes'] = 2
default['openstack']['compute']['metadata']['uwsgi']['processes'] = 1
default['openstack']['compute']['metadata']['uwsgi']['threads'] = 1
default['openstack']['compute']['conf'] = {}
