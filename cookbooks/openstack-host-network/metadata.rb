# frozen_string_literal: true

name 'openstack-host-network'
maintainer 'stackcook'
license 'Apache-2.0'
description 'Network interfaces of a host: bonds, VLANs, bridges and addresses, through systemd-networkd or ifupdown, with a way back'
version '1.0.0'
chef_version '>= 18.0'
supports 'debian', '>= 12.0'
