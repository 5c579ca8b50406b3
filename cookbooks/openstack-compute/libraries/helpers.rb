# frozen_string_literal: true

module OpenstackCompute
  # Nova's options as {section => {option => value}}: those of all nodes, of controllers and of compute nodes.
  module Helpers
    NOVA_CONF = '/etc/nova/nova.conf'

    # @param sections [Hash] options to add, such as {nova_base}
    def nova_conf(sections)
      openstack_config_part(NOVA_CONF, { service: 'compute', group: 'nova' }, sections)
    end

    # @return [Hash] what controller and compute nodes have in common
    def nova_base
      {
        'DEFAULT' => {
          'my_ip' => openstack_address,
          'state_path' => '/var/lib/nova',
          'log_dir' => '/var/log/nova',
          'transport_url' => transport_url,
        },
        # not in /run: when any of Nova's units stops, /run/lock/nova is removed for all of them
        'oslo_concurrency' => { 'lock_path' => '/var/lib/nova/tmp' },
        'keystone_authtoken' => keystone_authtoken('nova'),
        **openstack_rabbit_section,
        'service_user' => keystone_client_section('nova').merge('send_service_user_token' => true),
        'placement' => keystone_client_section('placement'),
        'neutron' => keystone_client_section('neutron'),
        'glance' => { 'region_name' => node['openstack']['region'], 'cafile' => openstack_internal_ca },
        'keystone' => { 'cafile' => openstack_internal_ca },
        'cinder' => keystone_client_section('nova').except('region_name').merge(
          'os_region_name' => node['openstack']['region'], 'catalog_info' => 'block-storage::internalURL'
        ),
        'vnc' => { 'enabled' => true },
        'spice' => { 'enabled' => false },
      }
    end

    # @return [Hash] for the API, the conductor, the scheduler and the console proxy
    def nova_controller
      {
        'api_database' => { 'connection' => db_url('nova', 'nova_api') },
        'database' => { 'connection' => db_url('nova') },
        'conductor' => { 'workers' => 1 },
        # discover new compute nodes every 30 seconds
        'scheduler' => { 'workers' => 1, 'discover_hosts_in_cells_interval' => 30 },
        'oslo_policy' => { 'policy_dirs' => '/etc/nova/policy.d' },
        **openstack_proxy_section,
        'neutron' => {
          'service_metadata_proxy' => true,
          'metadata_proxy_shared_secret' => OpenstackCommon::Ini.literal(openstack_password('secrets', 'metadata_proxy')),
        },
        'vnc' => {
          'novncproxy_host' => openstack_bind_address('novnc'),
          'novncproxy_port' => openstack_port('novnc'),
          **(openstack_tls_all? ? vnc_tls : {}),
        },
      }
    end

    # @return [Hash] for connections of the console proxy to instances. Those that were started before have no TLS yet
    def vnc_tls
      paths = openstack_tls_paths('nova')
      {
        'auth_schemes' => 'vencrypt,none',
        'vencrypt_client_key' => paths[:key],
        'vencrypt_client_cert' => paths[:certificate],
        'vencrypt_ca_certs' => paths[:ca],
      }
    end

    # @return [Hash] for nova-compute with libvirt
    def nova_compute
      controller = openstack_runs?('openstack-compute::controller')
      {
        'DEFAULT' => {
          # as the default, but when the host gets another name, the file changes and nova-compute restarts
          'host' => node['machinename'],
          'compute_driver' => 'libvirt.LibvirtDriver',
          'resume_guests_state_on_host_boot' => true,
          'cpu_allocation_ratio' => 4.0,
          'ram_allocation_ratio' => 1.0,
          'disk_allocation_ratio' => 1.0,
          'reserved_host_memory_mb' => OpenstackCompute::Sizes.reserved_memory(controller: controller),
          'reserved_host_cpus' => OpenstackCompute::Sizes.reserved_cpus,
          # for the operating system and the services of a controller
          'reserved_host_disk_mb' => controller ? 8192 : 4096,
        },
        'libvirt' => { 'virt_type' => OpenstackCompute::Kvm.virt_type },
        'vnc' => {
          'server_listen' => '$my_ip',
          'server_proxyclient_address' => '$my_ip',
          'novncproxy_base_url' => openstack_url('novnc', 'public'),
        },
      }
    end
  end

  # Whether the node supports KVM.
  module Kvm
    # @return [String] `kvm` if the node has /dev/kvm, else `qemu`, which emulates the CPU and works everywhere
    def self.virt_type
      File.exist?('/dev/kvm') ? 'kvm' : 'qemu'
    end
  end
end

Chef::DSL::Universal.include(OpenstackCompute::Helpers) if defined?(Chef::DSL::Universal)
