# frozen_string_literal: true

module OpenstackResources
  # Finds objects of the cloud by name, for this cookbook's resources. Each kind of object is listed once per run,
  # and again after a change.
  module Lookup
    # @return [String] the ID of a project of the default domain
    # @raise [RuntimeError] there is no such project
    def openstack_project_id(name)
      openstack_id(openstack_keystone.find('projects', name), "project #{name}")
    end

    # @return [String] the ID of a user of the default domain
    # @raise [RuntimeError] there is no such user
    def openstack_user_id(name)
      openstack_id(openstack_keystone.find('users', name), "user #{name}")
    end

    # @param kind [String] networks, subnets, routers or security-groups
    # @return [Hash, nil] Neutron's object of that name in a project
    # @raise [RuntimeError] there are several; Neutron's names need not be unique
    def openstack_neutron_object(kind, name, project)
      id = openstack_project_id(project)
      one_at_most(neutron_list(kind, id).select { |object| object['name'] == name && object['project_id'] == id }, kind, name, project)
    end

    # Like {#openstack_neutron_object}, but falls back to the other projects: a router of a project
    # uses the external network of another one.
    #
    # @return [Hash]
    # @raise [RuntimeError] there is none, or there are several
    def openstack_neutron_reference(kind, name, project)
      found = openstack_neutron_object(kind, name, project) ||
              one_at_most(neutron_list(kind, nil).select { |object| object['name'] == name }, kind, name, 'the cloud')
      openstack_id(found, "#{kind.chomp('s')} #{name}")
      found
    end

    # @return [Array<Hash>] the ports by which a router is connected to subnets
    def openstack_router_ports(id)
      openstack_api('network').list("/v2.0/ports?device_id=#{id}&device_owner=network:router_interface", 'ports')
    end

    # @return [Hash, nil] Nova's flavor of that name
    def openstack_flavor_object(name)
      openstack_api('compute').list('/flavors/detail?is_public=None', 'flavors').find { |flavor| flavor['name'] == name }
    end

    # @return [Array<Hash>] Glance's images of that name, without hidden ones
    def openstack_image_objects(name, project)
      owner = openstack_project_id(project)
      openstack_api('image').list('/v2/images?limit=1000', 'images').select { |image| image['name'] == name && image['owner'] == owner }
    end

    # @param rule [Hash] a rule of the resource openstack_security_group
    # @return [Hash] the same as Neutron's API has it
    def openstack_rule_body(rule, project)
      OpenstackResources::Rule.body(rule) { |name| openstack_neutron_reference('security-groups', name, project)['id'] }
    end

    # @return [Boolean] whether one of these rules of the API allows the same
    def openstack_rule_in?(rules, rule)
      rules.any? { |other| OpenstackResources::Rule.same?(other, rule) }
    end

    private

    def openstack_id(object, what)
      object ? object['id'] : raise("#{what} not found; create it first, for example with the resource openstack_#{what[/\A[a-z-]+/].tr('-', '_')}")
    end

    # Neutron creates the security group `default` of a project when that project's groups are listed.
    def neutron_list(kind, project_id)
      query = kind == 'security-groups' && project_id ? "?project_id=#{project_id}" : ''
      openstack_api('network').list("/v2.0/#{kind}#{query}", kind.tr('-', '_'))
    end

    def one_at_most(found, kind, name, where)
      return found.first if found.size < 2

      raise "#{found.size} #{kind} in #{where} have the name #{name}: #{found.map { |object| object['id'] }.join(', ')}; delete or rename all but one"
    end
  end
end

Chef::DSL::Universal.include(OpenstackResources::Lookup) if defined?(Chef::DSL::Universal)
