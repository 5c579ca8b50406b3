# frozen_string_literal: true

provides :openstack_tls_files
unified_mode true

description 'Writes this node\'s certificate for internal services, its key and its CA to files that a daemon can read. Does nothing unless internal connections are encrypted.'

property :daemon, String, name_property: true, description: 'The directory in /etc/openstack/tls'
property :group, String, default: lazy { daemon }, description: 'The Unix group that may read the key'

action :create do
  next unless openstack_tls_all?

  paths = openstack_tls_paths(new_resource.daemon)
  pem = openstack_internal_certificate

  [::File.dirname(OpenstackCommon::Tls::CA), OpenstackCommon::Tls::DIRECTORY, ::File.dirname(paths[:key])].each do |path|
    directory path do
      mode '0755' # also if root's umask is stricter
    end
  end

  { ca: '0644', certificate: '0644', key: '0640' }.each do |kind, mode|
    file paths[kind] do
      content pem[kind.to_s]
      owner 'root'
      group kind == :key ? new_resource.group : 'root'
      mode mode
      sensitive kind == :key
      backup false # of a key that was replaced
    end
  end
end
