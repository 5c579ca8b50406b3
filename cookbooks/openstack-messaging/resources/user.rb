# frozen_string_literal: true

provides :openstack_messaging_user
unified_mode true

description 'Creates a RabbitMQ user with all permissions on this node, or deletes a user. Checks the password by logging in with it.'

property :user, String, name_property: true
property :password, String, sensitive: true, description: 'Required to create the user'
property :permitted, [true, false], default: true, skip_docs: true

load_current_value do |desired|
  rabbitmq = OpenstackMessaging::Rabbitmq.new(node['openstack']['mq']['node_name'])
  current_value_does_not_exist! unless rabbitmq.user?(desired.user)

  password rabbitmq.password?(desired.user, desired.password) ? desired.password : '' if desired.password
  permitted rabbitmq.permitted?(desired.user)
end

action :create do
  converge_if_changed :password do
    rabbitmq.public_send(current_resource ? :change_password : :create, new_resource.user, new_resource.password)
  end
  converge_if_changed(:permitted) { rabbitmq.permit(new_resource.user) }
end

action :delete do
  converge_by("delete user #{new_resource.user}") { rabbitmq.delete(new_resource.user) } if current_resource
end

action_class do
  def rabbitmq
    OpenstackMessaging::Rabbitmq.new(node['openstack']['mq']['node_name'])
  end
end
