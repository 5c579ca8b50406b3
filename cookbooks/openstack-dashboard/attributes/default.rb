# frozen_string_literal: true

# Types and meanings are in attributes.yml.

default['openstack']['dashboard']['allowed_hosts'] = nil
default['openstack']['dashboard']['processes'] = 1
default['openstack']['dashboard']['threads'] = 4
default['openstack']['dashboard']['conf']['DEFAULT'] = {}
