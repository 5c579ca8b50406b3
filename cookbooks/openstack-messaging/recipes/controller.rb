# frozen_string_literal: true

user = node['openstack']['mq']['user']
password = openstack_password('user_passwords', user)
node_name = node['openstack']['mq']['node_name']
definitions = '/etc/rabbitmq/definitions.json'

openstack_packages 'messaging' do
  packages %w(rabbitmq-server nftables)
end

template '/etc/rabbitmq/rabbitmq-env.conf' do
  source 'rabbitmq-env.conf.erb'
  owner 'root'
  group 'rabbitmq'
  mode '0640'
  variables(node_name: node_name)
end

template '/etc/rabbitmq/rabbitmq.conf' do
  source 'rabbitmq.conf.erb'
  owner 'root'
  group 'rabbitmq'
  mode '0640'
  variables(
    options: {
      'listeners.tcp.1' => "#{openstack_bind_address('mq')}:#{openstack_port('mq')}",
      # loaded at each start, before RabbitMQ listens. With such a file, RabbitMQ does not create its default user `guest`
      'load_definitions' => definitions,
    }.merge(node['openstack']['mq']['conf'])
  )
end

# contains a salted hash of the password
file definitions do
  content OpenstackMessaging::Definitions.render(user, password, (::File.read(definitions) if ::File.exist?(definitions)))
  owner 'root'
  group 'rabbitmq'
  mode '0640'
  sensitive true
end

directory '/etc/systemd/system/epmd.socket.d'

file '/etc/systemd/system/epmd.socket.d/listen.conf' do
  content "# Written by Chef: Erlang's port mapper serves this node only.\n[Socket]\nListenStream=\nListenStream=127.0.0.1:4369\n"
  notifies :run, 'execute[systemctl daemon-reload]', :immediately
end

execute 'systemctl daemon-reload' do
  action :nothing
end

openstack_service 'epmd.socket'

openstack_service 'rabbitmq-server' do
  ports [openstack_port('mq')]
  internal_ports [openstack_port('mq')]
  log "/var/log/rabbitmq/#{node_name}.log"
  config %w(/etc/rabbitmq/rabbitmq.conf /etc/rabbitmq/rabbitmq-env.conf)
  wait true
end

# If RabbitMQ was running when the password changed, or if its user was deleted since
execute 'rabbitmqctl import_definitions' do
  command ['rabbitmqctl', '--node', node_name, 'import_definitions', definitions]
  not_if { OpenstackMessaging::Amqp.login?(openstack_bind_address('mq'), openstack_port('mq'), user, password) }
end
