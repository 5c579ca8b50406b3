# frozen_string_literal: true

name 'openstack-common'
maintainer 'stackcook'
license 'Apache-2.0'
description 'Resources and helpers of the OpenStack cookbooks: packages, configuration, services, databases, Keystone'
version '1.0.0'
chef_version '>= 18.8'
supports 'debian', '>= 13.0'
