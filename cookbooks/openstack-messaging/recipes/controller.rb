# frozen_string_literal: true

user = node['openstack']['mq']['user']
password = openstack_password('user_passwords', user)
vhost = openstack_mq_vhost
member = openstack_member?
node_name = rabbitmq_node_name
# for `stackcook verify`
node.default['openstack']['mq']['vhost'] = vhost
definitions = OpenstackMessaging::Helpers::DEFINITIONS
distribution = OpenstackMessaging::Helpers::DISTRIBUTION
port_mapper = '/etc/systemd/system/epmd.socket.d/listen.conf'
cookie = '/var/lib/rabbitmq/.erlang.cookie'
listen = ['127.0.0.1', *(openstack_address if member)].map { |address| "ListenStream=#{address}:#{OpenstackMessaging::Cluster::PORT_MAPPER}\n" }

openstack_packages 'messaging' do
  packages %w(rabbitmq-server nftables)
end

# Erlang looks for renewed ones every two minutes (ssl_pem_cache_clean), also for connections between the members: no restart.
openstack_tls_files 'rabbitmq'

directory '/etc/systemd/system/epmd.socket.d'

addresses = file port_mapper do
  content "# Written by Chef: Erlang's port mapper serves #{member ? 'the members of the cluster' : 'this node'} only.\n" \
          "[Socket]\nListenStream=\n#{listen.join}#{"FreeBind=true\n" if member}"
end

# It cannot listen anew while its service runs, and RabbitMQ registers with that only when it starts. What a run could not do, the next one does.
execute 'stop RabbitMQ and its port mapper' do
  command 'systemctl stop rabbitmq-server epmd.service epmd.socket && systemctl daemon-reload'
  only_if { addresses.updated_by_last_action? || OpenstackCommon::Systemd.show('epmd.socket').older_than?([port_mapper]) }
end

template '/etc/rabbitmq/rabbitmq-env.conf' do
  source 'rabbitmq-env.conf.erb'
  owner 'root'
  group 'rabbitmq'
  mode '0640'
  variables(settings: rabbitmq_environment)
end

template '/etc/rabbitmq/rabbitmq.conf' do
  source 'rabbitmq.conf.erb'
  owner 'root'
  group 'rabbitmq'
  mode '0640'
  variables(options: rabbitmq_options)
end

# contains a salted hash of the password
file definitions do
  content OpenstackMessaging::Definitions.render(user, password, (::File.read(definitions) if ::File.exist?(definitions)),
                                                 vhost: vhost, queue_type: ('quorum' if member),
                                                 former: member ? [OpenstackCommon::Helpers::MQ_VHOST] - [vhost] : [])
  owner 'root'
  group 'rabbitmq'
  mode '0640'
  sensitive true
end

if member
  # with it, nodes let each other in
  file cookie do
    content openstack_password('secrets', 'rabbitmq_cookie')
    owner 'rabbitmq'
    group 'rabbitmq'
    mode '0400'
    sensitive true
  end

  file distribution do
    content rabbitmq_distribution
    mode '0644'
    only_if { openstack_tls_all? }
  end
end

openstack_service 'epmd.socket' do
  internal_ports member ? [OpenstackMessaging::Cluster::PORT_MAPPER] : []
  config port_mapper
end

if member
  openstack_rabbitmq_member node_name do
    peers rabbitmq_names(openstack_peers)
    known rabbitmq_names(openstack_converged_peers('openstack-messaging::controller'))
    action :prepare
  end
end

openstack_service 'rabbitmq-server' do
  ports [openstack_port('mq')]
  internal_ports [openstack_port('mq'), *(OpenstackMessaging::Cluster::PORT if member)]
  log "/var/log/rabbitmq/#{node_name}.log"
  config ['/etc/rabbitmq/rabbitmq.conf', '/etc/rabbitmq/rabbitmq-env.conf', port_mapper, *([cookie, distribution] if member)]
  wait true
end

if member
  openstack_rabbitmq_member "#{node_name} after its start" do
    node_name node_name
    peers rabbitmq_names(openstack_peers)
    action :join
  end
end

# If RabbitMQ was running when the password or the virtual host changed, or if its user was deleted since
execute 'rabbitmqctl import_definitions' do
  command ['rabbitmqctl', '--node', node_name, 'import_definitions', definitions]
  not_if { rabbitmq_login?(user, password, vhost) }
end
