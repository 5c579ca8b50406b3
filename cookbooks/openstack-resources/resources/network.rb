# frozen_string_literal: true

provides :openstack_network
unified_mode true

description 'Creates or updates a network. Neutron cannot change the provider attributes of a network.'

property :network_name, String, name_property: true
property :project, String, default: 'admin', desired_state: false, description: 'The project to which it belongs'
property :external, [true, false], default: false, description: 'Whether routers can have their gateway there'
property :shared, [true, false], default: false, description: 'Whether all projects may connect instances to it'
property :mtu, Integer, description: 'Default: Neutron chooses it'
property :provider_type, String, equal_to: %w(flat vlan geneve), description: 'Default: the type of the networks that projects create (geneve)'
property :physical_network, String, description: 'For flat and vlan'
property :segmentation_id, Integer, description: 'The VLAN ID or the Geneve VNI'

load_current_value do |desired|
  found = openstack_neutron_object('networks', desired.network_name, desired.project)
  current_value_does_not_exist! unless found

  external found['router:external']
  shared found['shared']
  mtu found['mtu']
  provider_type found['provider:network_type']
  physical_network found['provider:physical_network'] if found['provider:physical_network']
  segmentation_id found['provider:segmentation_id'] if found['provider:segmentation_id']
end

action :create do
  if current_resource
    converge_if_changed(:provider_type, :physical_network, :segmentation_id) do
      raise "network #{new_resource.network_name}: Neutron cannot change its provider type, physical network or segmentation ID; delete the network, and its ports, first"
    end
    converge_if_changed(:external, :shared, :mtu) { neutron.put("/v2.0/networks/#{found['id']}", { network: changeable }) }
  else
    converge_if_changed { neutron.post('/v2.0/networks', { network: changeable.merge(fixed) }) }
  end
end

action :delete do
  converge_by("delete network #{new_resource.network_name}") { neutron.delete("/v2.0/networks/#{found['id']}") } if current_resource
end

action_class do
  def neutron
    openstack_api('network')
  end

  def found
    openstack_neutron_object('networks', new_resource.network_name, new_resource.project)
  end

  def changeable
    { 'router:external' => new_resource.external, 'shared' => new_resource.shared, 'mtu' => new_resource.mtu }.compact
  end

  def fixed
    {
      'name' => new_resource.network_name,
      'project_id' => openstack_project_id(new_resource.project),
      'provider:network_type' => new_resource.provider_type,
      'provider:physical_network' => new_resource.physical_network,
      'provider:segmentation_id' => new_resource.segmentation_id,
    }.compact
  end
end
