# frozen_string_literal: true

# The RabbitMQ user of the services; its password is the item with this name in the data bag user_passwords.
default['openstack']['mq']['user'] = 'openstack'

# The name of RabbitMQ's Erlang node. It does not contain the host name, so RabbitMQ keeps its data
# when the host is renamed.
default['openstack']['mq']['node_name'] = 'rabbit@localhost'

# openstack.mq.conf.KEY sets any option of rabbitmq.conf.
default['openstack']['mq']['conf'] = {}
