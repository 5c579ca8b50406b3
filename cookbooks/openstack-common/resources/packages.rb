# frozen_string_literal: true

provides :openstack_packages
unified_mode true

description 'Installs packages. All that a run declares come in one apt transaction, at the first resource that misses one: apt and dpkg triggers cost more than unpacking.'

property :packages, Array, default: lazy { [name] }, description: 'Names of Debian packages'

def after_created
  (node.run_state[:openstack_packages] ||= []).concat(packages)
end

action :install do
  if OpenstackCommon::Apt.missing(new_resource.packages).any?
    missing = OpenstackCommon::Apt.missing(node.run_state[:openstack_packages].uniq)
    converge_by("install #{missing.join(' ')}") { OpenstackCommon::Apt.install(missing) }
  end
end
