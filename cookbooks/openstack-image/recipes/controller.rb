# frozen_string_literal: true

ceph = openstack_ceph?
shared = ceph || node['openstack']['image']['shared']
stores = { 'fs' => { 'filesystem_store_datadir' => '/var/lib/glance/images/' } }

openstack_packages 'image' do
  packages %w(glance mariadb-client) + (ceph ? OpenstackCommon::Ceph::PACKAGES : [])
end

if ceph
  openstack_ceph_client('glance', group: 'glance')
  stores['rbd'] = {
    'rbd_store_user' => 'glance',
    'rbd_store_pool' => node['openstack']['ceph']['pools']['images'],
    'rbd_store_ceph_conf' => OpenstackCommon::Ceph::CONF,
  }
end

openstack_config '/etc/glance/glance-api.conf' do
  service 'image'
  group 'glance'
  defaults(
    'DEFAULT' => {
      'bind_host' => openstack_bind_address('image'),
      'bind_port' => openstack_port('image'),
      # images that were stored as files before the cloud had Ceph stay where they are
      'enabled_backends' => ceph ? 'fs:file,rbd:rbd' : 'fs:file',
      'log_dir' => '/var/log/glance',
      # other controllers ask this one for what a client has uploaded here, to import it
      'worker_self_reference_url' => ("#{openstack_tls_all? ? 'https' : 'http'}://#{openstack_address}:#{openstack_port('image')}" if openstack_member?),
      # with the location of an image, Cinder clones it instead of copying it
      'show_image_direct_url' => ceph || nil,
      # a process that waits for Ceph's library answers no other request
      'workers' => ceph ? 2 : 1,
    },
    'database' => { 'connection' => db_url('glance') },
    'glance_store' => { 'default_backend' => ceph ? 'rbd' : 'fs' },
    'keystone_authtoken' => keystone_authtoken('glance'),
    'oslo_concurrency' => { 'lock_path' => '/var/lib/glance/tmp' },
    'paste_deploy' => { 'flavor' => 'keystone' },
    **openstack_proxy_section,
    **stores
  )
end

openstack_db_sync 'glance' do
  command %w(glance-manage db_sync)
end

# what Horizon and Nova's API know about the properties of images and flavors
execute 'glance-manage db_load_metadefs' do
  user 'glance'
  group 'glance'
  only_if { openstack_mariadb('glance').query('SELECT 1 FROM metadef_namespaces LIMIT 1').empty? }
end

if openstack_member? && !shared
  log 'images are on the first controller only, and not available while it is down: use Ceph, or a shared directory (openstack.image.shared)' do
    level :warn
  end
end

openstack_frontend 'image', first_only: !shared

openstack_registration 'glance' do
  service_type 'image'
  endpoints openstack_endpoints('image')
end

openstack_service 'glance-api' do
  ports [openstack_port('image')]
  log '/var/log/glance/glance-api.log'
  config ['/etc/glance/glance-api.conf', *('/etc/ceph/ceph.client.glance.keyring' if ceph)]
end
