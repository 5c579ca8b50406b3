# frozen_string_literal: true

# Types and meanings are in attributes.yml.

default['openstack']['ha']['daemon'] = 'keepalived'
