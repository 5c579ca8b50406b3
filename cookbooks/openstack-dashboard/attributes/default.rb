# frozen_string_literal: true

# The host names and addresses at which Horizon can be opened (Django's ALLOWED_HOSTS). Default: the
# public host, this node's address and names, and localhost.
default['openstack']['dashboard']['allowed_hosts'] = nil

default['openstack']['dashboard']['processes'] = 1
default['openstack']['dashboard']['threads'] = 4

# openstack.dashboard.conf.DEFAULT.KEY sets any setting of Horizon or Django.
default['openstack']['dashboard']['conf']['DEFAULT'] = {}
