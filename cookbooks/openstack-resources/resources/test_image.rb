# frozen_string_literal: true

provides :openstack_test_image
unified_mode true

description 'Builds a small bootable disk image from packages of the node\'s Debian release, without installing them. Its README says what it does when it boots. Builds it again if the script has changed.'

property :path, String, name_property: true, description: 'The image file (raw)'

action :create do
  script = '/usr/local/lib/openstack/build-test-image'

  directory ::File.dirname(script)

  cookbook_file script do
    source 'build-test-image'
    cookbook 'openstack-resources'
    mode '0755'
  end

  execute "build #{new_resource.path}" do
    command [script, new_resource.path]
    timeout 600
    not_if { ::File.exist?(new_resource.path) && ::File.mtime(new_resource.path) >= ::File.mtime(script) }
  end
end
