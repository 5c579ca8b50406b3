# frozen_string_literal: true

# Neutron's API and workers, with OVN's databases.

include_recipe 'openstack-network::_common'

openstack_packages 'neutron-controller' do
  packages %w(neutron-api neutron-ovn-maintenance-worker mariadb-client)
end

# Controllers that were deployed before 2026-11-30 have it.
package 'neutron-rpc-server' do
  action :purge
  only_if { ::File.exist?('/var/lib/dpkg/info/neutron-rpc-server.list') }
end

neutron_conf neutron_controller

ml2_conf_ini = '/etc/neutron/plugins/ml2/ml2_conf.ini'

openstack_config ml2_conf_ini do
  service 'network.plugins.ml2'
  group 'neutron'
  defaults ml2_conf
end

openstack_tls_files 'neutron'

openstack_frontend 'network'
openstack_frontend 'ovn_nb' if openstack_member?

openstack_registration 'neutron' do
  roles %w(admin service) # Nova binds the ports of all projects as this user
  service_type 'network'
  endpoints openstack_endpoints('network')
end

# workers wait in long polls: with the default worker-reload-mercy, a restart takes a minute
openstack_uwsgi '/etc/neutron/neutron-api-uwsgi.ini' do
  service 'network'
  options 'worker-reload-mercy' => 5
  unit 'neutron-server' # the name under which neutron-api's start script reads /etc/default
  bind "#{openstack_bind_address('network')}:#{openstack_port('network')}"
end

include_recipe 'openstack-network::_ovn'

openstack_db_sync 'neutron' do
  command %W(neutron-db-manage --config-file #{OpenstackNetwork::Helpers::NEUTRON_CONF} --config-file #{ml2_conf_ini} upgrade heads)
end

# The package contains only an init script; the unit that systemd generates from it stays active when
# the worker dies
systemd_unit 'neutron-ovn-maintenance-worker.service' do
  content(
    Unit: { Description: 'OpenStack Neutron OVN maintenance worker', After: 'network-online.target mariadb.service rabbitmq-server.service ovn-central.service' },
    Service: {
      User: 'neutron',
      Group: 'neutron',
      WorkingDirectory: '/var/lib/neutron',
      ExecStart: '/etc/init.d/neutron-ovn-maintenance-worker systemd-start',
      Restart: 'on-failure',
      LimitNOFILE: 65_535,
    },
    Install: { WantedBy: 'multi-user.target' }
  )
  action :create
end

uwsgi = %w(/etc/neutron/neutron-api-uwsgi.ini /etc/default/neutron-server)

%w(neutron-api neutron-ovn-maintenance-worker).each do |unit|
  openstack_service unit do
    ports unit == 'neutron-api' ? [openstack_port('network')] : []
    log "/var/log/neutron/#{unit}.log"
    config [OpenstackNetwork::Helpers::NEUTRON_CONF, ml2_conf_ini, *(uwsgi if unit == 'neutron-api')]
  end
end
