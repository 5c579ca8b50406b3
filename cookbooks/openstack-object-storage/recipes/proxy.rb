# frozen_string_literal: true

# The rings, and the proxy server that clients use.

include_recipe 'openstack-object-storage::_common'

openstack_packages 'swift-proxy' do
  packages %w(swift-proxy swift-object-expirer python3-keystonemiddleware)
end

settings = node['openstack']['object_storage']

OpenstackObjectStorage::Helpers::PORTS.each do |name, port|
  openstack_swift_ring name do
    # lazy: nodes may be registered while this one converges
    devices lazy { openstack_ring_devices(openstack_storage_nodes, port) }
    removed_nodes settings['removed_nodes']
    copies lazy { openstack_storage_nodes.filter_map { |other| openstack_saved_ring(other, name) } }
    action :build
  end
end

middlewares = %w(
  catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk tempurl formpost authtoken keystoneauth staticweb copy
  container-quotas account-quotas slo dlo versioned_writes symlink
)
entry_points = { 'cache' => 'memcache' }
filters = middlewares.to_h { |name| ["filter:#{name}", { 'use' => "egg:swift##{(entry_points[name] || name).tr('-', '_')}" }] }

cache = { 'use' => 'egg:swift#memcache', 'memcache_servers' => openstack_memcached_servers.join(',') }

openstack_config '/etc/swift/proxy-server.conf' do
  service 'object_storage.proxy'
  group 'swift'
  defaults(
    'DEFAULT' => {
      'bind_ip' => openstack_bind_address('object_storage'),
      'bind_port' => openstack_port('object_storage'),
      'log_name' => 'swift-proxy',
      'user' => 'swift',
      'workers' => 1,
    },
    'pipeline:main' => { 'pipeline' => [*middlewares, 'proxy-logging', 'proxy-server'].join(' ') },
    'app:proxy-server' => { 'use' => 'egg:swift#proxy', 'account_autocreate' => true },
    **filters,
    'filter:authtoken' => keystone_authtoken('swift').merge(
      'paste.filter_factory' => 'keystonemiddleware.auth_token:filter_factory',
      'delay_auth_decision' => true, # so that public containers can be read without a token
      # PasteDeploy reads % as the start of a reference, and $ as it is
      'password' => openstack_password('service_passwords', 'swift').gsub('%', '%%')
    ),
    'filter:cache' => cache,
    'filter:keystoneauth' => { 'use' => 'egg:swift#keystoneauth', 'operator_roles' => 'admin, member' },
    'filter:versioned_writes' => filters['filter:versioned_writes'].merge('allow_versioned_writes' => true)
  )
end

# removes objects that have expired (X-Delete-After)
openstack_config '/etc/swift/object-expirer.conf' do
  service 'object_storage.expirer'
  group 'swift'
  defaults(
    'DEFAULT' => { 'log_name' => 'swift-object-expirer', 'user' => 'swift' },
    'object-expirer' => { 'interval' => 300 },
    'pipeline:main' => { 'pipeline' => 'catch_errors cache proxy-server' },
    'app:proxy-server' => { 'use' => 'egg:swift#proxy' },
    'filter:catch_errors' => { 'use' => 'egg:swift#catch_errors' },
    'filter:cache' => cache
  )
end

openstack_frontend 'object_storage'

openstack_registration 'swift' do
  service_type 'object-store'
  endpoints openstack_endpoints('object_storage')
end

# Swift's own default for who may change the quotas of accounts, and use them all
openstack_role 'ResellerAdmin'

openstack_service 'swift-proxy' do
  ports [openstack_port('object_storage')]
  config %w(/etc/swift/swift.conf /etc/swift/proxy-server.conf)
end

openstack_service 'swift-object-expirer' do
  config %w(/etc/swift/swift.conf /etc/swift/object-expirer.conf)
end
