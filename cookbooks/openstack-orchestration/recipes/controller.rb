# frozen_string_literal: true

# Heat's API and its engine. Not heat-api-cfn: it can't check signatures, because Keystone answers only to clients with a
# token since CVE-2025-65073, and heat-api-cfn 24.0 has none.

require 'digest'

openstack_packages 'orchestration' do
  packages %w(heat-api heat-engine mariadb-client)
end

heat_conf = '/etc/heat/heat.conf'
domain = 'heat'
domain_admin = 'heat_domain_admin'
uwsgi_ini = '/etc/heat/heat-api-uwsgi.ini'

openstack_config heat_conf do
  service 'orchestration'
  group 'heat'
  defaults(
    'DEFAULT' => {
      'log_dir' => '/var/log/heat',
      'transport_url' => transport_url,
      'num_engine_workers' => 1,
      'region_name_for_services' => node['openstack']['region'],
      # it must have 32 characters
      'auth_encryption_key' => Digest::SHA256.hexdigest(openstack_password('secrets', 'heat_encryption'))[0, 32],
      'stack_user_domain_name' => domain,
      'stack_domain_admin' => domain_admin,
      'stack_domain_admin_password' => OpenstackCommon::Ini.literal(openstack_password('service_passwords', domain_admin)),
      # the defaults need heat-api-cfn
      'default_deployment_signal_transport' => 'HEAT_SIGNAL',
      'default_software_config_transport' => 'POLL_SERVER_HEAT',
      'default_user_data_format' => 'RAW',
    },
    'clients' => { 'endpoint_type' => 'internalURL', 'ca_file' => openstack_internal_ca },
    # the URL to which instances send their signals
    'clients_heat' => { 'endpoint_type' => 'publicURL', 'ca_file' => openstack_ca_file },
    'clients_keystone' => { 'auth_uri' => openstack_url('identity') },
    'database' => { 'connection' => db_url('heat') },
    'keystone_authtoken' => keystone_authtoken('heat'),
    **openstack_rabbit_section,
    'oslo_policy' => { 'policy_dirs' => '/etc/heat/policy.d' },
    **openstack_proxy_section,
    # Heat acts for the owner of a stack with a trust, which determines the project
    'trustee' => keystone_client_section('heat').slice('auth_type', 'auth_url', 'user_domain_name', 'username', 'password', 'cafile')
  )
end

openstack_db_sync 'heat' do
  command %w(heat-manage db_sync)
end

openstack_frontend 'orchestration'

openstack_registration 'heat' do
  service_type 'orchestration'
  endpoints openstack_endpoints('orchestration')
end

# heat_stack_user: what users in the domain of stacks may do. Nothing requires heat_stack_owner any more, but templates and tests
# of other clouds assign it.
openstack_role 'heat_stack_user'
openstack_role 'heat_stack_owner'

openstack_orchestration_domain domain do
  admin domain_admin
end

openstack_uwsgi uwsgi_ini do
  service 'orchestration'
  unit 'heat-api'
  rabbitmq true
  bind "#{openstack_bind_address('orchestration')}:#{openstack_port('orchestration')}"
end

openstack_service 'heat-api' do
  ports [openstack_port('orchestration')]
  log %w(/var/log/heat/heat-api.log /var/log/heat/heat-wsgi-api.log) # uWSGI's, Heat's
  config [heat_conf, uwsgi_ini]
end

openstack_service 'heat-engine' do
  log '/var/log/heat/heat-engine.log'
  config heat_conf
end
