# frozen_string_literal: true

provides :openstack_uwsgi
unified_mode true

description 'Sets options in a packaged uWSGI file and leaves the rest as it is; an option that is not set any more gets its former value back; the attributes openstack.SERVICE.uwsgi.KEY take precedence.'

property :path, String, name_property: true
property :service, String, required: true
property :options, Hash, default: {}
property :unit, String, description: 'The unit that runs it; needed with bind and rabbitmq'
property :rabbitmq, [true, false], default: false, description: 'Whether it calls other services through RabbitMQ: its connections are kept alive between requests'
property :bind, String, description: 'ADDRESS:PORT to listen on. Without it, Debian\'s start scripts listen on every address'

action :create do
  attributes = node.read('openstack', *new_resource.service.split('.'), 'uwsgi')
  # Heartbeats would be sent by eventlet, which runs during requests only: RabbitMQ would close the connections, and the next request wait for new ones
  env = %W(PROCESSNAME=#{new_resource.unit} HEARTBEAT_IN_PTHREAD=true).map { |option| "OS_OSLO_MESSAGING_RABBIT__#{option}" }
  # uWSGI closes each connection after its response; clients that are not told may lose their next request
  own = { 'http-socket' => new_resource.bind, 'add-header' => 'Connection: close', 'env' => (env if new_resource.rabbitmq) }.compact
  options = own.merge(new_resource.options.transform_keys(&:to_s), attributes.to_h)

  file new_resource.path do
    content OpenstackCommon::Ini.override(::File.read(new_resource.path), 'uwsgi', options)
    owner 'root'
    group 'root'
    mode '0644'
  end

  file "/etc/default/#{new_resource.unit}" do
    content "# Written by Chef: where it listens is in the file itself.\nDAEMON_ARGS='--ini #{new_resource.path}'\n"
    owner 'root'
    group 'root'
    mode '0644'
    not_if { new_resource.bind.nil? }
  end
end
