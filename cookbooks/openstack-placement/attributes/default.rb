# frozen_string_literal: true

# openstack.placement.uwsgi.KEY sets any uWSGI option of placement-api.
default['openstack']['placement']['uwsgi']['processes'] = 1
default['openstack']['placement']['uwsgi']['threads'] = 1

# openstack.placement.conf.SECTION.KEY sets any option of placement.conf.
default['openstack']['placement']['conf'] = {}
