# frozen_string_literal: true

# What both parts need; not for run lists.

openstack_packages 'neutron-common'

neutron_conf neutron_base
