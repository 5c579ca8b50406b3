# frozen_string_literal: true

# openstack.image.conf.SECTION.KEY sets any option of glance-api.conf.
default['openstack']['image']['conf'] = {}
