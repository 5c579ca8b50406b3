# frozen_string_literal: true

# What a recipe for another service of OpenStack looks like. A real one upgrades its schema too, with openstack_db_sync.

address = openstack_address
port = 8099
conf = '/etc/inventory.conf'
unit = '/etc/systemd/system/inventory.service'

openstack_packages 'inventory' do
  packages %w(python3)
end

openstack_database 'inventory' do
  password openstack_password('db_passwords', 'inventory')
end

openstack_config conf do
  service 'inventory' # the attributes openstack.inventory.conf.SECTION.KEY
  group 'www-data'
  defaults(
    'database' => { 'connection' => db_url('inventory') },
    'keystone_authtoken' => keystone_authtoken('inventory')
  )
end

openstack_registration 'inventory' do
  service_type 'inventory'
  endpoints %w(public internal admin).to_h { |interface| [interface, "http://#{address}:#{port}/"] }
end

systemd_unit 'inventory.service' do
  content(
    Unit: { Description: 'An imaginary service of OpenStack', After: 'network-online.target' },
    Service: { User: 'www-data', WorkingDirectory: '/srv', ExecStart: "/usr/bin/python3 -m http.server --bind #{address} #{port}" },
    Install: { WantedBy: 'multi-user.target' }
  )
  action :create
end

openstack_service 'inventory' do
  ports [port]
  config [conf, unit]
end
