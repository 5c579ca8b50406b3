# frozen_string_literal: true

name 'openstack-messaging'
maintainer 'stackcook'
license 'Apache-2.0'
description 'RabbitMQ for OpenStack, and the user of the services'
version '1.0.0'
chef_version '>= 18.0'
supports 'debian', '>= 13.0'
depends 'openstack-common'
