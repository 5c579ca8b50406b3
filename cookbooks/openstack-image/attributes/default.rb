# frozen_string_literal: true

# Types and meanings are in attributes.yml.

default['openstack']['image']['shared'] = false
default['openstack']['image']['conf'] = {}
