# frozen_string_literal: true

# The names and addresses by which people may call Horizon. Missing: this node's, and the public host.
default['openstack']['dashboard']['allowed_hosts'] = nil

default['openstack']['dashboard']['processes'] = 1
default['openstack']['dashboard']['threads'] = 4

# openstack.dashboard.conf.DEFAULT.KEY sets any of Horizon's Python settings.
default['openstack']['dashboard']['conf']['DEFAULT'] = {}
