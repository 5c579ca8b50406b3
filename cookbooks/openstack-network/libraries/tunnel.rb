# frozen_string_literal: true

module OpenstackNetwork
  # How tunnels to other nodes work with Open vSwitch's userspace datapath.
  #
  # It can use only interfaces that are ports of its bridges. So the interface of the tunnel address becomes a port of a bridge, whose flows
  # pass on Geneve and its ARP, and nothing else. Unlike in the kernel's datapath, the host keeps using the interface and its address:
  # it receives every packet too, and the node stays reachable if Open vSwitch is down.
  module Tunnel
    # Open vSwitch ends tunnels only at a port with an address. It may be any address.
    LOCAL_ADDRESS = '169.254.254.254/32'
    GENEVE = 6081

    module_function

    # @param interfaces [Hash] Ohai's network interfaces
    # @return [String, nil] the name of the interface with this address. To Ohai, an address with a label is that of an interface such as eth0:1
    def interface(interfaces, address)
      interfaces.find { |_, interface| interface['addresses']&.key?(address) }&.first&.slice(/[^:]+/)
    end

    # @param interface [String] the port with the tunnel address
    # @return [String] flows in the format of ovs-ofctl. Packets that Open vSwitch itself sends to the tunnel appear as received
    #   at this port too: `in_port` sends them out there
    def flows(interface, address)
      [
        "arp,arp_op=1,arp_spa=#{address},actions=in_port",
        "arp,arp_op=2,arp_tpa=#{address},actions=LOCAL",
        "udp,nw_src=#{address},tp_dst=#{GENEVE},actions=in_port",
        "udp,nw_dst=#{address},tp_dst=#{GENEVE},actions=LOCAL",
      ].map { |flow| "priority=10,in_port=#{interface},#{flow}\n" }.join
    end
  end
end
