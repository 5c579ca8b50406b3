# frozen_string_literal: true

# Types and meanings are in attributes.yml.

default['openstack']['memcached']['memory'] = 128
default['openstack']['memcached']['connections'] = 1024
