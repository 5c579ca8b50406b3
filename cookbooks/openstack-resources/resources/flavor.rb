# frozen_string_literal: true

provides :openstack_flavor
unified_mode true

description 'Creates or updates a flavor. Nova can change only the description and the extra specs of a flavor. If another property changes, the flavor is replaced by one with the same ID, name and access; existing instances keep their size.'

property :flavor_name, String, name_property: true
property :ram, Integer, required: [:create], description: 'MiB'
property :disk, Integer, default: 0, description: 'GiB of the root disk; 0: as large as the image'
property :vcpus, Integer, default: 1
property :ephemeral, Integer, default: 0, description: 'GiB of an additional disk'
property :swap, Integer, default: 0, description: 'MiB'
property :public, [true, false], default: true, description: 'Whether all projects may use it'
property :description, String, description: 'The description in Nova'
property :extra_specs, Hash, default: {}, coerce: proc { |specs| specs.to_h { |key, value| [key.to_s, value.to_s] } },
                             description: 'Other extra specs of the flavor are kept'
property :id, String, desired_state: false, description: 'For new flavors; default: Nova chooses one'

load_current_value do |desired|
  found = openstack_flavor_object(desired.flavor_name)
  current_value_does_not_exist! unless found

  id found['id']
  ram found['ram']
  disk found['disk']
  vcpus found['vcpus']
  ephemeral found['OS-FLV-EXT-DATA:ephemeral']
  swap found['swap'].to_i # '' if there is none
  public found['os-flavor-access:is_public']
  description found['description'] || ''
  extra_specs found['extra_specs'].slice(*desired.extra_specs.keys)
end

action :create do
  if current_resource
    converge_if_changed(:ram, :disk, :vcpus, :ephemeral, :swap, :public) { replace }
    converge_if_changed(:description) { nova.put("/flavors/#{current_resource.id}", { flavor: { description: new_resource.description } }) }
    converge_if_changed(:extra_specs) { set_extra_specs(current_resource.id, new_resource.extra_specs) }
  else
    converge_if_changed { set_extra_specs(create(new_resource.id), new_resource.extra_specs) }
  end
end

action :delete do
  converge_by("delete flavor #{new_resource.flavor_name}") { nova.delete("/flavors/#{current_resource.id}") } if current_resource
end

action_class do
  def nova
    openstack_api('compute')
  end

  # @return [String] the new flavor's ID
  def create(id)
    nova.post('/flavors', { flavor: {
      id: id, name: new_resource.flavor_name, description: new_resource.description || current_resource&.description,
      ram: new_resource.ram, disk: new_resource.disk, vcpus: new_resource.vcpus, swap: new_resource.swap,
      'OS-FLV-EXT-DATA:ephemeral' => new_resource.ephemeral, 'os-flavor-access:is_public' => new_resource.public
    }.compact }).fetch('flavor').fetch('id')
  end

  def replace
    id = current_resource.id
    all_specs = nova.get("/flavors/#{id}/os-extra_specs").fetch('extra_specs')
    projects = current_resource.public ? [] : nova.get("/flavors/#{id}/os-flavor-access").fetch('flavor_access').map { |access| access['tenant_id'] }
    nova.delete("/flavors/#{id}")
    create(id)
    set_extra_specs(id, all_specs)
    return if new_resource.public

    projects.each { |project| nova.post("/flavors/#{id}/action", { addTenantAccess: { tenant: project } }) }
  end

  def set_extra_specs(id, specs)
    nova.post("/flavors/#{id}/os-extra_specs", { extra_specs: specs }) unless specs.empty?
  end
end
