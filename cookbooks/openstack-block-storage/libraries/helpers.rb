# frozen_string_literal: true

module OpenstackBlockStorage
  # Cinder's options as {section => {option => value}}.
  module Helpers
    CINDER_CONF = '/etc/cinder/cinder.conf'
    BACKENDS = %w(ceph lvm).freeze
    BACKUPS = %w(swift ceph none).freeze

    # @param sections [Hash] options to add, such as {cinder_base}
    def cinder_conf(sections)
      openstack_config_part(CINDER_CONF, { service: 'block_storage', group: 'cinder' }, sections)
    end

    # @return [String] where volumes are stored: ceph or lvm
    # @raise [ArgumentError] the attribute has another value
    def cinder_backend
      cinder_choice('backend', BACKENDS) || (openstack_ceph? ? 'ceph' : 'lvm')
    end

    # @return [String] where backups are stored: swift, ceph or none
    # @raise [ArgumentError] the attribute has another value
    def cinder_backup
      cinder_choice('backup', BACKUPS) || if openstack_has?('object_storage')
                                            'swift'
                                          else
                                            openstack_ceph? ? 'ceph' : 'none'
                                          end
    end

    # @return [Hash] what all of Cinder's services need
    def cinder_base
      {
        'DEFAULT' => {
          'my_ip' => openstack_address,
          'state_path' => '/var/lib/cinder',
          'log_dir' => '/var/log/cinder',
          'transport_url' => transport_url,
          'auth_strategy' => 'keystone',
          'glance_api_servers' => openstack_url('image'),
          'glance_ca_certificates_file' => openstack_internal_ca,
        },
        'database' => { 'connection' => db_url('cinder') },
        'keystone_authtoken' => keystone_authtoken('cinder'),
        **openstack_rabbit_section,
        # the default is public
        'nova' => keystone_client_section('nova').merge('interface' => 'internal'),
        'oslo_concurrency' => { 'lock_path' => '/var/lib/cinder/tmp' },
        'oslo_policy' => { 'policy_dirs' => '/etc/cinder/policy.d' },
        **openstack_proxy_section,
        'service_user' => keystone_client_section('cinder').merge('send_service_user_token' => true),
      }
    end

    # @param backend [String] one of {BACKENDS}
    # @return [Hash] for cinder-volume
    def cinder_volume(backend)
      {
        'DEFAULT' => { 'enabled_backends' => backend },
        backend => { 'volume_backend_name' => backend }.merge(backend == 'ceph' ? rbd_options : lvm_options),
      }
    end

    # @param backup [String] swift or ceph
    # @return [Hash] for cinder-backup
    def cinder_backups(backup)
      driver = if backup == 'swift'
                 {
                   'backup_driver' => 'cinder.backup.drivers.swift.SwiftBackupDriver',
                   'swift_catalog_info' => 'object-store:swift:internalURL', # the default is public
                   'backup_swift_ca_cert_file' => openstack_internal_ca,
                 }
               else
                 {
                   'backup_driver' => 'cinder.backup.drivers.ceph.CephBackupDriver',
                   'backup_ceph_conf' => OpenstackCommon::Ceph::CONF,
                   'backup_ceph_user' => 'cinder',
                   'backup_ceph_pool' => node['openstack']['ceph']['pools']['backups'],
                 }
               end
      { 'DEFAULT' => driver }
    end

    private

    def cinder_choice(name, allowed)
      value = node['openstack']['block_storage'][name]
      return value if value.nil? || allowed.include?(value)

      raise ArgumentError, "attribute openstack.block_storage.#{name}: #{value} is none of #{allowed.join(', ')}"
    end

    def rbd_options
      {
        'volume_driver' => 'cinder.volume.drivers.rbd.RBDDriver',
        'rbd_ceph_conf' => OpenstackCommon::Ceph::CONF,
        'rbd_pool' => node['openstack']['ceph']['pools']['volumes'],
        'rbd_user' => 'cinder',
        # the libvirt secret of compute nodes
        'rbd_secret_uuid' => node['openstack']['ceph']['fsid'],
        'rados_connect_timeout' => 10,
      }
    end

    def lvm_options
      {
        'volume_driver' => 'cinder.volume.drivers.lvm.LVMVolumeDriver',
        'volume_group' => node['openstack']['block_storage']['lvm']['volume_group'],
        'target_protocol' => 'iscsi',
        'target_helper' => 'lioadm',
        'target_ip_address' => openstack_address,
      }
    end
  end
end

Chef::DSL::Recipe.include(OpenstackBlockStorage::Helpers) if defined?(Chef::DSL::Recipe)
