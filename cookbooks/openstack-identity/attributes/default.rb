# frozen_string_literal: true

# openstack.identity.uwsgi.KEY sets any uWSGI option of Keystone.
default['openstack']['identity']['uwsgi']['processes'] = 2
default['openstack']['identity']['uwsgi']['threads'] = 1

# openstack.identity.conf.SECTION.KEY sets any option of keystone.conf.
default['openstack']['identity']['conf'] = {}
