# frozen_string_literal: true

# The servers that store accounts, containers and objects, and rsync, with which they replicate them.

include_recipe 'openstack-object-storage::_common'

servers = OpenstackObjectStorage::Helpers::PORTS
devices = openstack_storage_devices
disks = devices.select { |_, device| device['device'] }

openstack_packages 'swift-storage' do
  packages [*servers.keys.map { |name| "swift-#{name}" }, 'rsync', 'nftables', *('xfsprogs' if disks.any?)]
end

devices.each do |name, settings|
  raise "attribute openstack.object_storage.devices: #{name.inspect} is not a valid name; use letters, digits, - and ." unless name.match?(/\A[[:alnum:].-]+\z/)

  path = "/srv/node/#{name}"

  directory path do
    recursive true
  end

  if (disk = settings['device'])
    execute "mkfs.xfs #{disk}" do
      command ['mkfs.xfs', disk]
      only_if { shell_out('blkid', '-p', disk).exitstatus == 2 } # nothing is on it
    end

    mount path do
      device disk
      fstype 'xfs'
      options %w(noatime nofail)
      action %i(mount enable)
    end
  end

  directory "#{path} of swift" do
    path path
    owner 'swift'
    group 'swift'
    mode '0750'
  end
end

if openstack_runs?('openstack-object-storage::proxy')
  include_recipe 'openstack-object-storage::proxy' # builds the rings, whatever the order in the run list is
else
  servers.each_key do |name|
    openstack_swift_ring name do
      copies lazy { openstack_built_rings(name) }
      action :install
    end
  end
end

template '/etc/rsyncd.conf' do
  source 'rsyncd.conf.erb'
  owner 'root'
  group 'root'
  mode '0644'
  variables(lazy do
    ring = OpenstackObjectStorage::Ring.read('/etc/swift/object.ring.gz')
    { address: openstack_address, modules: servers.keys, hosts: ring.devices.map { |device| device['ip'] }.uniq.sort }
  end)
end

openstack_service 'rsync' do
  ports [873]
  internal_ports [873]
  config '/etc/rsyncd.conf'
end

# What each server has besides itself; Swift ignores sections of daemons that do not run
daemons = {
  'account' => %w(auditor reaper replicator),
  'container' => %w(auditor replicator updater),
  'object' => %w(auditor replicator updater),
}

# Swift's own intervals suit nodes with nothing else to do. Every 5 minutes, the updater started a process for each
# partition that has a container (0.9 s of CPU each); every 30 s, the object auditor read all objects again. With these,
# an account shows the size of its containers later; a damaged object is found as late as a damaged container.
settings = { 'container-updater' => { 'interval' => 1800 }, 'object-auditor' => { 'interval' => 1800 } }

servers.each do |name, port|
  openstack_config "/etc/swift/#{name}-server.conf" do
    service "object_storage.#{name}"
    group 'swift'
    defaults(
      'DEFAULT' => {
        'bind_ip' => openstack_address,
        'bind_port' => port,
        'devices' => '/srv/node',
        'log_name' => "swift-#{name}",
        'mount_check' => disks.size == devices.size,
        'user' => 'swift',
        'workers' => 1,
      },
      'pipeline:main' => { 'pipeline' => "healthcheck recon #{name}-server" },
      "app:#{name}-server" => { 'use' => "egg:swift##{name}" },
      'filter:healthcheck' => { 'use' => 'egg:swift#healthcheck' },
      'filter:recon' => { 'use' => 'egg:swift#recon' },
      **daemons.fetch(name).to_h do |daemon|
        ["#{name}-#{daemon}", { 'log_name' => "swift-#{name}-#{daemon}", **settings.fetch("#{name}-#{daemon}", {}) }]
      end
    )
  end

  openstack_service "swift-#{name}" do
    ports [port]
    internal_ports [port]
    config ['/etc/swift/swift.conf', "/etc/swift/#{name}-server.conf"]
  end

  daemons.fetch(name).each do |daemon|
    openstack_service "swift-#{name}-#{daemon}" do
      config ['/etc/swift/swift.conf', "/etc/swift/#{name}-server.conf"]
    end
  end
end

# Debian enables them, too. They are for erasure coding, several storage policies, and containers that are synchronized or sharded.
%w(swift-object-reconstructor swift-container-reconciler swift-container-sync swift-container-sharder).each do |unit|
  service unit do
    action %i(stop disable)
  end
end
