# frozen_string_literal: true

module OpenstackHostNetwork
  # Interfaces as files of systemd-networkd. Their names sort before those of Debian's and the user's files: the
  # first that matches an interface counts.
  module Networkd
    PREFIX = '/etc/systemd/network/01-host-network-'
    HEAD = "# Written by Chef: openstack_host_network\n"

    module_function

    # @param interfaces [Hash] as the resource has them
    # @return [Hash{String => String}] path => content
    def files(interfaces)
      interfaces.each_with_object({}) do |(name, settings), found|
        device = netdev(name, settings)
        found["#{PREFIX}#{name}.netdev"] = HEAD + device if device
        found["#{PREFIX}#{name}.network"] = HEAD + network(name, settings, interfaces)
      end
    end

    # @return [String] the .link file that gives a network card its name at boot
    def link(name, mac)
      # The other names, such as enp1s0, stay alternative names.
      HEAD + render(['Match', { 'PermanentMACAddress' => mac }],
                    ['Link', { 'Name' => name, 'AlternativeNamesPolicy' => 'database onboard slot path' }])
    end

    # @return [String] the .link file that lets the kernel choose the MAC address of a bond or a bridge: that of a member,
    #   which the switches know already. systemd would make one out of the machine-id.
    def link_of_members(name)
      HEAD + render(['Match', { 'OriginalName' => name }], ['Link', { 'MACAddressPolicy' => 'none' }])
    end

    def netdev(name, settings)
      kind = settings['kind']
      return if kind == 'ethernet'

      own = case kind
            when 'bond'
              ['Bond', { 'Mode' => settings['mode'] || 'active-backup', 'MIIMonitorSec' => '100ms',
                         'LACPTransmitRate' => settings['lacp_rate'], 'TransmitHashPolicy' => settings['transmit_hash_policy'] }]
            when 'vlan'
              ['VLAN', { 'Id' => settings['id'] }]
            end
      mac = 'none' unless kind == 'vlan'
      render(['NetDev', { 'Name' => name, 'Kind' => kind, 'MACAddress' => mac }], *[own].compact)
    end

    def network(name, settings, interfaces)
      addresses = Array(settings['addresses'])
      routes = Array(settings['routes']).map { |route| ['Route', route(route)] }
      render(['Match', { 'Name' => name }],
             ['Link', { 'MTUBytes' => settings['mtu'] }],
             ['Network', {
               **master(name, interfaces),
               'VLAN' => interfaces.select { |_, other| other['link'] == name }.keys,
               'Address' => addresses,
               'Gateway' => settings['gateway'],
               'DHCP' => settings['dhcp4'] ? 'ipv4' : 'no',
               'LinkLocalAddressing' => addresses.empty? ? 'no' : nil,
               # with ifupdown, an interface has its addresses without a carrier, too
               'ConfigureWithoutCarrier' => addresses.empty? ? nil : 'yes',
             }], *routes)
    end

    def route(route)
      destination = route['to'] unless route['to'] == 'default'
      { 'Destination' => destination, 'Gateway' => route['via'], 'Metric' => route['metric'] }
    end

    # @return [Hash] the bond or bridge that an interface is part of
    def master(name, interfaces)
      found, settings = interfaces.find { |_, other| Array(other['interfaces']).include?(name) }
      found ? { settings['kind'].capitalize => found } : {}
    end

    def render(*sections)
      sections.filter_map do |section, options|
        lines = options.compact.flat_map { |key, value| Array(value).map { |each| "#{key}=#{each}\n" } }
        "[#{section}]\n#{lines.join}" unless lines.empty?
      end.join("\n")
    end
  end
end
