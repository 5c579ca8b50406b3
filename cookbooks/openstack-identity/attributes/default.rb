# frozen_string_literal: true

# Types and meanings are in attributes.yml.

default['openstack']['identity']['uwsgi']['processes'] = 2
default['openstack']['identity']['uwsgi']['threads'] = 1
default['openstack']['identity']['conf'] = {}
