# frozen_string_literal: true

# What the recipe openstack-resources::controller creates: openstack.resources.KIND.NAME.PROPERTY. The properties are those of
# the resource openstack_KIND. A NAME whose value is null is left out.
%w(projects users quotas flavors keypairs images networks subnets routers security_groups).each do |kind|
  default['openstack']['resources'][kind] = {}
end
