# frozen_string_literal: true

# What both parts need; not for run lists.

openstack_packages 'nova-common'

nova_conf nova_base

# Whichever of Nova's units stops would take /run/nova away from the others, and a start at that
# moment fails. nova-compute starts only once a conductor answers: after a boot of all nodes that
# may take longer than systemd's 90 seconds.
directory '/etc/systemd/system/nova-.service.d'

file '/etc/systemd/system/nova-.service.d/openstack.conf' do
  content "[Service]\nRuntimeDirectoryPreserve=yes\nTimeoutStartSec=300\n"
  notifies :run, 'execute[systemctl daemon-reload]', :immediately
end

execute 'systemctl daemon-reload' do
  action :nothing
end
