# frozen_string_literal: true

address = openstack_bind_address('dashboard')
port = openstack_port('dashboard')
settings = '/etc/openstack-dashboard/local_settings.d/_0100_chef.py'
site = '/etc/apache2/sites-available/horizon.conf'
rewrite = '/etc/apache2/mods-enabled/rewrite.load'
enabled = '/etc/apache2/sites-enabled/horizon.conf'
headers = '/etc/apache2/mods-enabled/headers.load'

openstack_packages 'dashboard' do
  packages %w(apache2 openstack-dashboard openstack-dashboard-apache python3-pymemcache) + node['openstack']['dashboard']['plugins'].to_h.values.compact
end

openstack_frontend 'dashboard'

file settings do
  content OpenstackDashboard::Settings.render(
    {
      'ALLOWED_HOSTS' => node['openstack']['dashboard']['allowed_hosts'] ||
        [openstack_host('dashboard', 'public'), openstack_address, node['fqdn'], node['hostname'], 'localhost'].compact.uniq,
      'SECRET_KEY' => openstack_password('secrets', 'horizon'),
      'OPENSTACK_HOST' => openstack_host('identity'),
      'OPENSTACK_KEYSTONE_URL' => openstack_url('identity'),
      'OPENSTACK_KEYSTONE_MULTIDOMAIN_SUPPORT' => false,
      'OPENSTACK_API_VERSIONS' => { 'identity' => 3, 'image' => 2, 'volume' => 3 },
      'SESSION_ENGINE' => 'django.contrib.sessions.backends.cache',
      'CACHES' => {
        'default' => {
          'BACKEND' => 'django.core.cache.backends.memcached.PyMemcacheCache',
          'LOCATION' => openstack_memcached_servers,
          # sessions of a server that is down are lost; their users log in again
          **(openstack_ha? ? { 'OPTIONS' => OpenstackDashboard::Settings::SEVERAL_CACHES } : {}),
        },
      },
      'OPENSTACK_SSL_CACERT' => openstack_internal_ca,
      'TIME_ZONE' => 'UTC',
      'DISALLOW_IFRAME_EMBED' => true,
      # not CSRF_COOKIE_HTTPONLY: Horizon's own scripts read this cookie
      'SESSION_COOKIE_HTTPONLY' => true,
      'SESSION_COOKIE_SAMESITE' => 'Lax',
      'CSRF_COOKIE_SAMESITE' => 'Lax',
      **(openstack_tls? ? OpenstackDashboard::Settings::TLS : {}),
    }.merge(node['openstack']['dashboard']['conf']['DEFAULT'])
  )
  owner 'root'
  group 'www-data'
  mode '0640'
  sensitive true
end

file '/etc/apache2/ports.conf' do
  content "# Written by Chef (openstack-dashboard).\nListen #{address}:#{port}\n"
  owner 'root'
  group 'root'
  mode '0644'
end

template site do
  source 'horizon.conf.erb'
  owner 'root'
  group 'root'
  mode '0644'
  variables(
    address: address, port: port, tls: (openstack_port('dashboard', 'public') if openstack_tls?),
    processes: node['openstack']['dashboard']['processes'], threads: node['openstack']['dashboard']['threads']
  )
end

link headers do
  to '../mods-available/headers.load'
end

link enabled do
  to site
end

link rewrite do
  to '../mods-available/rewrite.load'
  only_if { openstack_tls? }
end

# the sites of the packages: one needs mod_ssl, another runs Horizon in several interpreters, and all of
# them serve this address
%w(000-default default-ssl openstack-dashboard-alias-only).each do |packaged|
  link "/etc/apache2/sites-enabled/#{packaged}.conf" do
    action :delete
  end
end

openstack_service 'apache2' do
  ports [port]
  log '/var/log/apache2/horizon_error.log'
  # a directory has changed when a plugin was installed or removed
  config [settings, site, enabled, headers, rewrite, '/etc/apache2/ports.conf', '/usr/lib/python3/dist-packages/openstack_dashboard/local/enabled']
end
