# frozen_string_literal: true

openstack_packages 'identity' do
  packages %w(keystone mariadb-client)
end

openstack_frontend 'identity'

openstack_config '/etc/keystone/keystone.conf' do
  service 'identity'
  group 'keystone'
  defaults(
    'DEFAULT' => { 'log_dir' => '/var/log/keystone' },
    'database' => { 'connection' => db_url('keystone') },
    'token' => { 'provider' => 'fernet' },
    'cache' => {
      'enabled' => true,
      'backend' => 'dogpile.cache.memcached',
      'memcache_servers' => openstack_memcached_servers.join(','),
      # a server that is down delays a request by a second, once in half a minute
      **(openstack_ha? ? { 'backend' => 'oslo_cache.memcache_pool', 'memcache_socket_timeout' => 1, 'memcache_dead_retry' => 30 } : {}),
    },
    'oslo_policy' => { 'policy_dirs' => '/etc/keystone/policy.d' },
    **openstack_proxy_section
  )
end

openstack_uwsgi '/etc/keystone/keystone-uwsgi.ini' do
  service 'identity'
  unit 'keystone'
  # loaded once, then forked: half the time to start, and half the memory. Keystone begins no thread and no connection before its first request
  options 'lazy-apps' => false
  bind "#{openstack_bind_address('identity')}:#{openstack_port('identity')}"
end

openstack_db_sync 'keystone' do
  command %w(keystone-manage db_sync)
end

%w(fernet credential).each do |kind|
  openstack_keystone_keys kind do
    keys openstack_keystone_keys_of(kind)
  end
end

openstack_service 'keystone' do
  ports [openstack_port('identity')]
  log %w(/var/log/keystone/keystone.log /var/log/keystone/keystone-wsgi-public.log) # uWSGI's, Keystone's
  config %w(/etc/keystone/keystone.conf /etc/keystone/keystone-uwsgi.ini)
  wait true
end

openstack_identity_bootstrap 'admin' do
  password openstack_password('user_passwords', 'admin')
  endpoints openstack_endpoints('identity')
end
