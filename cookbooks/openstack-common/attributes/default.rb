# frozen_string_literal: true

# The OpenStack release that Debian's packages bring, and the region's name.
default['openstack']['release'] = 'epoxy'
default['openstack']['region'] = 'RegionOne'

# This node's address, if it isn't the one that Ohai found (node['ipaddress']).
default['openstack']['address'] = nil

# Where a service is reached: openstack.endpoints.{internal,public}.<svc>.{scheme,host,port,path}.
# A missing host is looked up: this node if it runs the service, else a Chef search.
default['openstack']['endpoints'] = {}

# Where a service listens: openstack.bind_service.all.<svc>.host. Missing: this node's address.
default['openstack']['bind_service']['all'] = {}

# memcached's servers as 'host:port'. Missing: looked up.
default['openstack']['memcached_servers'] = nil

# Seconds that a service may take until it listens, and that Keystone may take to answer.
default['openstack']['start_timeout'] = 240
