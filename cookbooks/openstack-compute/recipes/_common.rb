# frozen_string_literal: true

# Included by the recipes controller and compute; not for run lists.

openstack_packages 'nova-common'

nova_conf nova_base

# RuntimeDirectoryPreserve: when one of Nova's units stops, systemd would remove /run/nova for all of
# them, and a unit that starts at this moment would fail.
# TimeoutStartSec: nova-compute is up only when a conductor responds. If all nodes boot at the same
# time, this can take longer than systemd's default of 90 seconds.
directory '/etc/systemd/system/nova-.service.d'

file '/etc/systemd/system/nova-.service.d/openstack.conf' do
  content "[Service]\nRuntimeDirectoryPreserve=yes\nTimeoutStartSec=300\n"
  notifies :run, 'execute[systemctl daemon-reload]', :immediately
end

execute 'systemctl daemon-reload' do
  action :nothing
end
