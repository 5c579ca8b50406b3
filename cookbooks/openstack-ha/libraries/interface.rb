# frozen_string_literal: true

require 'ipaddr'

module OpenstackHa
  # Where the virtual address goes.
  module Interface
    module_function

    # @param interfaces [Hash] Ohai's network interfaces
    # @param own [String] the node's address
    # @param virtual [String] the virtual address
    # @return [String] the name of the interface with the node's address. To Ohai, an address with a label is that of an interface such as eth0:1
    # @raise [RuntimeError] there is none, or the virtual address can't be there
    def for(interfaces, own, virtual)
      own_ip, virtual_ip = [own, virtual].map { |text| IPAddr.new(text) }
      raise "openstack.ha.address: #{virtual} is the address of this node; use one that no machine has" if own_ip == virtual_ip
      raise "openstack.ha.address: #{virtual} and the node's address #{own} must both be IPv4, or both IPv6" if own_ip.family != virtual_ip.family

      interfaces.find { |_, interface| interface['addresses']&.key?(own) }&.first&.slice(/[^:]+/) ||
        raise("openstack.address: no interface of this node has the address #{own}")
    rescue IPAddr::Error
      raise "openstack.ha.address: #{virtual.inspect} and #{own.inspect} must be IP addresses"
    end
  end
end
