# frozen_string_literal: true

# Types and meanings are in attributes.yml.

%w(projects users quotas flavors keypairs images networks subnets routers security_groups).each do |kind|
  default['openstack']['resources'][kind] = {}
end
