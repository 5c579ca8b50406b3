# frozen_string_literal: true

# Included by the recipes proxy and storage; not for run lists.

openstack_packages 'swift'

# With another prefix or suffix, Swift would not find any of its objects.
openstack_config '/etc/swift/swift.conf' do
  service 'object_storage'
  group 'swift'
  defaults(
    'swift-hash' => %w(prefix suffix).to_h { |part| ["swift_hash_path_#{part}", openstack_password('secrets', "swift_hash_path_#{part}")] },
    'storage-policy:0' => { 'name' => 'Policy-0', 'default' => 'yes' }
  )
end

execute 'systemctl daemon-reload' do
  action :nothing
end
