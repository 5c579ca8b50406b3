# frozen_string_literal: true

# The queue's user; the password is the item of that name in the data bag user_passwords.
default['openstack']['mq']['user'] = 'openstack'

# Not of the host's name: a node that gets another name keeps its queue.
default['openstack']['mq']['node_name'] = 'rabbit@localhost'

# openstack.mq.conf.KEY sets any option of rabbitmq.conf.
default['openstack']['mq']['conf'] = {}
