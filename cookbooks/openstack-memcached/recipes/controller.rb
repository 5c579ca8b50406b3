# frozen_string_literal: true

openstack_packages 'memcached' do
  packages %w(memcached nftables)
end

# for nodes that use it over TLS
openstack_frontend 'memcached' if openstack_tls_all?

template '/etc/memcached.conf' do
  source 'memcached.conf.erb'
  owner 'root'
  group 'root'
  mode '0644'
  variables(
    address: openstack_bind_address('memcached'),
    port: openstack_port('memcached'),
    memory: node['openstack']['memcached']['memory'],
    connections: node['openstack']['memcached']['connections']
  )
end

openstack_service 'memcached' do
  ports [openstack_port('memcached')]
  internal_ports [openstack_port('memcached')]
  config '/etc/memcached.conf'
end
