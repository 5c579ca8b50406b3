# frozen_string_literal: true

# Included by the recipes controller and volume; not for run lists.

openstack_packages 'cinder-common'

cinder_conf cinder_base
