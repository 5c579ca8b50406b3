# frozen_string_literal: true

# What both parts need; not for run lists.

openstack_packages 'nova-common'

nova_conf nova_base

# Whichever of Nova's units stops would take /run/nova away from the others, and a start at that
# moment fails.
directory '/etc/systemd/system/nova-.service.d'

file '/etc/systemd/system/nova-.service.d/runtime-directory.conf' do
  content "[Service]\nRuntimeDirectoryPreserve=yes\n"
  notifies :run, 'execute[systemctl daemon-reload]', :immediately
end

execute 'systemctl daemon-reload' do
  action :nothing
end
