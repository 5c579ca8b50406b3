# frozen_string_literal: true

# Cinder's API and scheduler.

include_recipe 'openstack-block-storage::_common'

openstack_packages 'cinder-controller' do
  packages %w(cinder-api cinder-scheduler mariadb-client)
end

openstack_uwsgi '/etc/cinder/cinder-api-uwsgi.ini' do
  service 'block_storage'
  unit 'cinder-api'
  rabbitmq true
  bind "#{openstack_bind_address('block_storage')}:#{openstack_port('block_storage')}"
end

openstack_db_sync 'cinder' do
  command %w(cinder-manage db sync)
end

openstack_frontend 'block_storage'

# block-storage is the official type; older clients look for volumev3
{ 'block-storage' => 'cinder', 'volumev3' => 'cinderv3' }.each do |type, name|
  openstack_registration type do
    user 'cinder'
    service_type type
    service_name name
    endpoints openstack_endpoints('block_storage')
  end
end

openstack_service 'cinder-scheduler' do
  log '/var/log/cinder/cinder-scheduler.log'
  config OpenstackBlockStorage::Helpers::CINDER_CONF
end

openstack_service 'cinder-api' do
  ports [openstack_port('block_storage')]
  log %w(/var/log/cinder/cinder-api.log /var/log/cinder/cinder-wsgi.log) # uWSGI's, Cinder's
  config [OpenstackBlockStorage::Helpers::CINDER_CONF, '/etc/cinder/cinder-api-uwsgi.ini']
end
