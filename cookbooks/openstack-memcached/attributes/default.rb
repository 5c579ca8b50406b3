# frozen_string_literal: true

default['openstack']['memcached']['memory'] = 128 # MiB
default['openstack']['memcached']['connections'] = 1024
