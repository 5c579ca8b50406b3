# frozen_string_literal: true

# Included by the recipes controller and compute; not for run lists.

openstack_packages 'neutron-common'

neutron_conf neutron_base
