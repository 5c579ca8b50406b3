# frozen_string_literal: true

# Nova's API, conductor, scheduler and console proxy, with the cells cell0 and cell1.

include_recipe 'openstack-compute::_common'

openstack_packages 'nova-controller' do
  packages %w(nova-api nova-conductor nova-scheduler nova-consoleproxy mariadb-client nftables)
end

nova_conf nova_controller

# With these, nova-novncproxy connects to instances. It reads them for each console: to restart it would close those that are open.
openstack_tls_files 'nova'

openstack_frontend 'compute'
openstack_frontend 'metadata'
openstack_frontend 'novnc'

openstack_registration 'nova' do
  roles %w(admin service) # Neutron and Cinder report events to Nova as this user
  service_type 'compute'
  endpoints openstack_endpoints('compute')
end

openstack_uwsgi '/etc/nova/nova-api-uwsgi.ini' do
  service 'compute.api'
  unit 'nova-api'
  rabbitmq true
  bind "#{openstack_bind_address('compute')}:#{openstack_port('compute')}"
end

openstack_uwsgi '/etc/nova/nova-api-metadata-uwsgi.ini' do
  service 'compute.metadata'
  unit 'nova-api-metadata'
  rabbitmq true
  bind "#{openstack_bind_address('metadata')}:#{openstack_port('metadata')}"
end

# Without a type, the start script of nova-novncproxy exits 0 and does nothing
file '/etc/default/nova-consoleproxy' do
  content "NOVA_CONSOLE_PROXY_TYPE=novnc\nNOVA_SERIAL_PROXY_START=false\n"
  mode '0644'
end

openstack_db_sync 'nova_api' do
  user 'nova'
  command %w(nova-manage api_db sync)
end

openstack_nova_cell 'cell0' do
  queue 'none:///'
  database OpenstackCompute::Cell.template(db_url('nova'), path: 'nova_cell0')
end

openstack_nova_cell 'cell1' do
  queue OpenstackCompute::Cell.template(transport_url)
  database OpenstackCompute::Cell.template(db_url('nova'))
end

# upgrades the schema of cell0, then that of cell1: if cell1 is up to date, so is cell0
openstack_db_sync 'nova' do
  command %w(nova-manage db sync)
end

{
  'nova-conductor' => {},
  'nova-scheduler' => {},
  # log: what Nova says itself; in the file with the unit's name is what uWSGI says
  'nova-api' => { port: 'compute', config: '/etc/nova/nova-api-uwsgi.ini', log: 'nova-api-wsgi' },
  'nova-api-metadata' => { port: 'metadata', internal: true, config: '/etc/nova/nova-api-metadata-uwsgi.ini', log: 'nova-metadata-wsgi' },
  'nova-novncproxy' => { port: 'novnc', config: '/etc/default/nova-consoleproxy' },
}.each do |unit, with|
  openstack_service unit do
    ports [with[:port]].compact.map { |service| openstack_port(service) }
    internal_ports with[:internal] ? ports : []
    log [unit, with[:log]].compact.map { |name| "/var/log/nova/#{name}.log" }
    config [OpenstackCompute::Helpers::NOVA_CONF, with[:config]].compact
  end
end
