# frozen_string_literal: true

# Included by the recipes proxy and storage; not for run lists.

openstack_packages 'swift'

# With another prefix or suffix, Swift would not find any of its objects. It reads % as the start of a reference.
openstack_config '/etc/swift/swift.conf' do
  service 'object_storage'
  group 'swift'
  defaults(
    'swift-hash' => %w(prefix suffix).to_h { |part| ["swift_hash_path_#{part}", openstack_password('secrets', "swift_hash_path_#{part}").gsub('%', '%%')] },
    'storage-policy:0' => { 'name' => 'Policy-0', 'default' => 'yes' }
  )
end

# When one of Swift's units stops, systemd would remove /run/swift for all of them, and a unit that starts at
# this moment would fail.
directory '/etc/systemd/system/swift-.service.d'

file '/etc/systemd/system/swift-.service.d/openstack.conf' do
  content "[Service]\nRuntimeDirectoryPreserve=yes\n"
  notifies :run, 'execute[systemctl daemon-reload]', :immediately
end

execute 'systemctl daemon-reload' do
  action :nothing
end
