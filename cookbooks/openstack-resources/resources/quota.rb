# frozen_string_literal: true

provides :openstack_quota
unified_mode true

description 'Sets quotas of a project; those that are not named stay as they are. -1 is unlimited.'

counts = proc { |quotas| quotas.to_h { |key, value| [key.to_s, Integer(value)] } }

property :project, String, name_property: true
property :compute, Hash, default: {}, coerce: counts, description: 'Nova\'s: instances, cores, ram (MiB), key_pairs, server_groups, …'
property :network, Hash, default: {}, coerce: counts, description: 'Neutron\'s: network, subnet, port, router, floatingip, security_group, …'
property :volume, Hash, default: {}, coerce: counts, description: 'Cinder\'s: volumes, snapshots, gigabytes, backups, backup_gigabytes, …'

load_current_value do |desired|
  id = openstack_project_id(desired.project)
  compute openstack_api('compute').get("/os-quota-sets/#{id}").fetch('quota_set').slice(*desired.compute.keys) if desired.compute.any?
  network openstack_api('network').get("/v2.0/quotas/#{id}").fetch('quota').slice(*desired.network.keys) if desired.network.any?
  volume openstack_api('block_storage').get("/os-quota-sets/#{id}").fetch('quota_set').slice(*desired.volume.keys) if desired.volume.any?
end

action :set do
  id = openstack_project_id(new_resource.project)
  # force: also if the project uses more at present
  converge_if_changed(:compute) { openstack_api('compute').put("/os-quota-sets/#{id}", { quota_set: { force: true, **new_resource.compute } }) }
  converge_if_changed(:network) { openstack_api('network').put("/v2.0/quotas/#{id}", { quota: new_resource.network }) }
  converge_if_changed(:volume) { openstack_api('block_storage').put("/os-quota-sets/#{id}", { quota_set: new_resource.volume }) }
end
