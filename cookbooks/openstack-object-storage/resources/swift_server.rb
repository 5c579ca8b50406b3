# frozen_string_literal: true

provides :openstack_swift_server
unified_mode true

description 'Makes a unit of Debian run Swift\'s own server (swift-proxy-server, …). Debian runs uWSGI, which does not pass on request bodies in chunks, and listens on every address.'

property :server, String, name_property: true, equal_to: %w(proxy account container object)

action :configure do
  directory "/etc/systemd/system/swift-#{new_resource.server}.service.d"

  file OpenstackObjectStorage::Helpers.unit_file(new_resource.server) do
    content <<~UNIT
      [Service]
      Type=simple
      User=swift
      Group=swift
      ExecStartPre=
      ExecStart=
      ExecStart=/usr/bin/swift-#{new_resource.server}-server /etc/swift/#{new_resource.server}-server.conf
    UNIT
    notifies :run, 'execute[systemctl daemon-reload]', :immediately
  end
end
