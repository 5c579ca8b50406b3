# frozen_string_literal: true

provides :openstack_router
unified_mode true

description 'Creates or updates a router, its gateway and its interfaces in subnets.'

property :router_name, String, name_property: true
property :project, String, default: 'admin', desired_state: false, description: 'The project to which it belongs'
property :external_network, [String, false], description: 'The name of the network of its gateway; false for none'
property :subnets, Array, default: [], coerce: proc(&:sort), description: 'Names of the subnets that it connects; others that it connects are kept'

load_current_value do |desired|
  found = openstack_neutron_object('routers', desired.router_name, desired.project)
  current_value_does_not_exist! unless found

  gateway = found.dig('external_gateway_info', 'network_id')
  outside = openstack_api('network').list('/v2.0/networks').find { |network| network['id'] == gateway }
  external_network(outside ? outside['name'] : false)
  connected = openstack_router_ports(found['id']).flat_map { |port| port['fixed_ips'].map { |address| address['subnet_id'] } }
  subnets(desired.subnets.select { |name| connected.include?(openstack_neutron_reference('subnets', name, desired.project)['id']) })
end

action :create do
  if current_resource
    converge_if_changed(:external_network) { neutron.put("/v2.0/routers/#{found['id']}", { router: gateway }) }
  else
    converge_if_changed(:router_name, :external_network) do
      neutron.post('/v2.0/routers', { router: { name: new_resource.router_name, project_id: openstack_project_id(new_resource.project), **gateway } })
    end
  end

  converge_if_changed(:subnets) do
    (new_resource.subnets - (current_resource ? current_resource.subnets : [])).each do |name|
      subnet = openstack_neutron_reference('subnets', name, new_resource.project)
      neutron.put("/v2.0/routers/#{found['id']}/add_router_interface", { subnet_id: subnet['id'] })
    end
  end
end

action :delete do
  if current_resource
    converge_by("delete router #{new_resource.router_name} and its interfaces") do
      id = found['id']
      openstack_router_ports(id).each { |port| neutron.put("/v2.0/routers/#{id}/remove_router_interface", { port_id: port['id'] }) }
      neutron.delete("/v2.0/routers/#{id}")
    end
  end
end

action_class do
  def neutron
    openstack_api('network')
  end

  def found
    openstack_neutron_object('routers', new_resource.router_name, new_resource.project)
  end

  def gateway
    return {} if new_resource.external_network.nil?
    return { external_gateway_info: nil } unless new_resource.external_network

    { external_gateway_info: { network_id: openstack_neutron_reference('networks', new_resource.external_network, new_resource.project)['id'] } }
  end
end
