# frozen_string_literal: true

openstack_packages 'placement' do
  packages %w(placement-api mariadb-client)
end

openstack_config '/etc/placement/placement.conf' do
  service 'placement'
  group 'placement'
  defaults(
    'api' => { 'auth_strategy' => 'keystone' },
    'keystone_authtoken' => keystone_authtoken('placement'),
    'oslo_policy' => { 'policy_dirs' => '/etc/placement/policy.d' },
    'placement_database' => { 'connection' => db_url('placement') },
    **openstack_proxy_section
  )
end

openstack_uwsgi '/etc/placement/placement-api-uwsgi.ini' do
  service 'placement'
  unit 'placement-api'
  bind "#{openstack_bind_address('placement')}:#{openstack_port('placement')}"
end

openstack_db_sync 'placement' do
  command %w(placement-manage db sync)
end

openstack_frontend 'placement'

openstack_registration 'placement' do
  service_type 'placement'
  endpoints openstack_endpoints('placement')
end

openstack_service 'placement-api' do
  ports [openstack_port('placement')]
  log '/var/log/placement/placement-api.log'
  config %w(/etc/placement/placement.conf /etc/placement/placement-api-uwsgi.ini)
end
