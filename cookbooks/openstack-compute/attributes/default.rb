# frozen_string_literal: true

# openstack.compute.{api,metadata}.uwsgi.KEY sets any uWSGI option of nova-api and nova-api-metadata.
default['openstack']['compute']['api']['uwsgi']['processes'] = 2
default['openstack']['compute']['metadata']['uwsgi']['processes'] = 1
default['openstack']['compute']['metadata']['uwsgi']['threads'] = 1

# openstack.compute.conf.SECTION.KEY sets any option of nova.conf.
default['openstack']['compute']['conf'] = {}
