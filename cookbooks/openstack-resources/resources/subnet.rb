# frozen_string_literal: true

require 'ipaddr'

provides :openstack_subnet
unified_mode true

description 'Creates or updates a subnet. Neutron cannot change its network or its CIDR: with another CIDR, it is replaced, if only gateways of routers have addresses of it.'

# as Neutron writes it; else it would never be as wanted
address = proc { |text| text && IPAddr.new(text).to_s }

property :subnet_name, String, name_property: true
property :network, String, required: [:create], desired_state: false, description: 'The name of its network; that of the same project, or of another one'
property :project, String, default: 'admin', desired_state: false, description: 'The project to which it belongs'
property :cidr, String, required: [:create], coerce: proc { |text| "#{address.call(text)}/#{IPAddr.new(text).prefix}" }, description: 'Such as 192.0.2.0/24'
property :gateway, [String, false], coerce: address, description: 'An address, or false for none. Default: the first address'
property :dhcp, [true, false], default: true
property :pools, Array, coerce: proc { |pools| pools.map { |pool| pool.to_h.transform_keys(&:to_s).slice('start', 'end').transform_values(&address) }.sort_by { |pool| IPAddr.new(pool['start']) } },
                        description: 'The addresses for instances: [{start, end}]. Default: all except the gateway'
property :dns, Array, default: [], coerce: proc { |texts| texts.map(&address) }, description: 'Addresses of name servers'

load_current_value do |desired|
  found = openstack_neutron_object('subnets', desired.subnet_name, desired.project)
  current_value_does_not_exist! unless found

  cidr found['cidr']
  gateway found['gateway_ip'] || false
  dhcp found['enable_dhcp']
  pools found['allocation_pools']
  dns found['dns_nameservers']
end

action :create do
  if current_resource.nil?
    converge_if_changed { create }
  elsif current_resource.cidr != new_resource.cidr
    converge_if_changed { replace }
  else
    converge_if_changed(:gateway, :dhcp, :pools, :dns) do
      neutron.put("/v2.0/subnets/#{id}", { subnet: changeable })
    end
  end
end

action :delete do
  converge_by("delete subnet #{new_resource.subnet_name}") { neutron.delete("/v2.0/subnets/#{id}") } if current_resource
end

action_class do
  def neutron
    openstack_api('network')
  end

  def id
    openstack_neutron_object('subnets', new_resource.subnet_name, new_resource.project)['id']
  end

  def create
    neutron.post('/v2.0/subnets', { subnet: changeable.merge(fixed) })
  end

  def replace
    routers = routers_with_gateway
    routers.each { |router| neutron.put("/v2.0/routers/#{router}", { router: { external_gateway_info: nil } }) }
    neutron.delete("/v2.0/subnets/#{id}")
    create
    routers.each { |router| neutron.put("/v2.0/routers/#{router}", { router: { external_gateway_info: { network_id: fixed['network_id'] } } }) }
  end

  # The IDs of the routers whose gateway has an address of the subnet. Anything else would lose its address.
  def routers_with_gateway
    ports = neutron.list("/v2.0/ports?fixed_ips=subnet_id%3D#{id}", 'ports')
    others = ports.reject { |port| port['device_owner'] == 'network:router_gateway' }
    return ports.map { |port| port['device_id'] } if others.empty?

    raise "subnet #{new_resource.subnet_name}: Neutron cannot change its CIDR #{current_resource.cidr}; " \
          "delete its ports first: #{others.map { |port| port['id'] }.join(', ')}"
  end

  def changeable
    body = { 'enable_dhcp' => new_resource.dhcp, 'dns_nameservers' => new_resource.dns, 'allocation_pools' => new_resource.pools }.compact
    body['gateway_ip'] = new_resource.gateway || nil unless new_resource.gateway.nil? # false: no gateway
    body
  end

  def fixed
    {
      'name' => new_resource.subnet_name,
      'network_id' => openstack_neutron_reference('networks', new_resource.network, new_resource.project)['id'],
      'project_id' => openstack_project_id(new_resource.project),
      'cidr' => new_resource.cidr,
      'ip_version' => IPAddr.new(new_resource.cidr).ipv4? ? 4 : 6,
    }
  end
end
