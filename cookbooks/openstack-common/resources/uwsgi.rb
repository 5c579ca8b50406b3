# frozen_string_literal: true

provides :openstack_uwsgi
unified_mode true

description 'Sets options in a packaged uWSGI file and leaves the rest as it is; attributes openstack.SERVICE.uwsgi.KEY win.'

property :path, String, name_property: true
property :service, String, required: true
property :options, Hash, default: {}

action :create do
  attributes = node.read('openstack', *new_resource.service.split('.'), 'uwsgi')
  options = new_resource.options.transform_keys(&:to_s).merge(attributes.to_h)

  file new_resource.path do
    content OpenstackCommon::Ini.override(::File.read(new_resource.path), 'uwsgi', options)
    owner 'root'
    group 'root'
    mode '0644'
  end
end
