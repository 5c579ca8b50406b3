# frozen_string_literal: true

# The OpenStack release in Debian 13; for information only, no recipe reads it.
default['openstack']['release'] = 'epoxy'

# The Keystone region.
default['openstack']['region'] = 'RegionOne'

# The address at which other nodes reach this one. Default: node['ipaddress'].
default['openstack']['address'] = nil

# How to reach a service: openstack.endpoints.{internal,public}.<svc>.{scheme,host,port,path}.
# Default host: this node if it runs the service, else the node that a Chef search finds.
default['openstack']['endpoints'] = {}

# The address on which a service listens: openstack.bind_service.all.<svc>.host.
# Default: this node's address.
default['openstack']['bind_service']['all'] = {}

# A list of memcached servers, 'host:port'. Default: the host and port of the service memcached.
default['openstack']['memcached_servers'] = nil

# Seconds within which a service must listen after its start, and an API must respond.
default['openstack']['start_timeout'] = 240
