# frozen_string_literal: true

provides :openstack_config
unified_mode true

description 'Writes a whole configuration file from the recipe\'s options and the attributes openstack.SERVICE.conf.SECTION.KEY, which take precedence. An option set to nil is left out; an array becomes one line for each value.'

property :path, String, name_property: true
property :service, String, required: true, description: 'The service whose attributes are used; dots separate levels, as in network.plugins.ml2'
property :defaults, Hash, default: {}, sensitive: true, description: '{section => {option => value}}'
property :owner, String, default: 'root'
property :group, String, required: true, description: "The service's group, which may read the file"
property :mode, String, default: '0640'

action :create do
  attributes = node.read('openstack', *new_resource.service.split('.'), 'conf')
  sections = OpenstackCommon::Ini.merge(new_resource.defaults, attributes&.to_h)

  file new_resource.path do
    content OpenstackCommon::Ini.render(sections, "openstack.#{new_resource.service}.conf.SECTION.KEY")
    owner new_resource.owner
    group new_resource.group
    mode new_resource.mode
    sensitive true
  end
end
