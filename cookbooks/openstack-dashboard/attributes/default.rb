# frozen_string_literal: true

# Types and meanings are in attributes.yml.

default['openstack']['dashboard']['allowed_hosts'] = nil
# `||=`, because the attributes of other cookbooks add theirs, and may be loaded before
default['openstack']['dashboard']['plugins'] ||= {}
default['openstack']['dashboard']['processes'] = 1
default['openstack']['dashboard']['threads'] = 4
default['openstack']['dashboard']['conf']['DEFAULT'] = {}
