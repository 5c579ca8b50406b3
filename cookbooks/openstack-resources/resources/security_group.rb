# frozen_string_literal: true

provides :openstack_security_group
unified_mode true

description 'Creates or updates a security group and its rules.'

property :group_name, String, name_property: true
property :project, String, default: 'admin', desired_state: false, description: 'The project to which it belongs'
property :description, String, description: 'The description in Neutron'
property :rules, Array, default: [], coerce: proc { |rules| rules.map { |rule| rule.to_h.transform_keys(&:to_s) } },
                        description: 'What is allowed: [{direction, ethertype, protocol, port, remote}]. port is 22 or \'8000-8080\'; remote is a CIDR or a group\'s name; direction is ingress by default'
property :purge, [true, false], default: false, desired_state: false,
                                description: 'Delete other rules. A new group has rules that allow all outgoing traffic'

load_current_value do |desired|
  found = openstack_neutron_object('security-groups', desired.group_name, desired.project)
  current_value_does_not_exist! unless found

  description found['description'] || ''
  rules(desired.rules.select { |rule| openstack_rule_in?(found['security_group_rules'], openstack_rule_body(rule, desired.project)) })
end

action :create do
  if current_resource
    converge_if_changed(:description) { neutron.put("/v2.0/security-groups/#{found['id']}", { security_group: { description: new_resource.description } }) }
  else
    converge_if_changed(:group_name, :description) do
      neutron.post('/v2.0/security-groups', { security_group: {
        name: new_resource.group_name, project_id: openstack_project_id(new_resource.project), description: new_resource.description
      }.compact })
    end
  end

  converge_if_changed(:rules) do
    group_id = found['id']
    wanted.reject { |rule| openstack_rule_in?(existing, rule) }
          .each { |rule| neutron.post('/v2.0/security-group-rules', { security_group_rule: rule.merge('security_group_id' => group_id) }) }
  end

  others = new_resource.purge ? existing.reject { |rule| openstack_rule_in?(wanted, rule) } : []
  converge_by("delete #{others.size} other rules of security group #{new_resource.group_name}") do
    others.each { |rule| neutron.delete("/v2.0/security-group-rules/#{rule['id']}") }
  end unless others.empty?
end

action :delete do
  converge_by("delete security group #{new_resource.group_name}") { neutron.delete("/v2.0/security-groups/#{found['id']}") } if current_resource
end

action_class do
  def neutron
    openstack_api('network')
  end

  def found
    openstack_neutron_object('security-groups', new_resource.group_name, new_resource.project)
  end

  def existing
    found ? found['security_group_rules'] : []
  end

  def wanted
    new_resource.rules.map { |rule| openstack_rule_body(rule, new_resource.project) }
  end
end
