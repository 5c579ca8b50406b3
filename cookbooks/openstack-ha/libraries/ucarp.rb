# frozen_string_literal: true

require 'ipaddr'

module OpenstackHa
  # How UCARP is run.
  module Ucarp
    UNIT = 'openstack-ucarp'
    FILE = "/etc/systemd/system/#{UNIT}.service".freeze
    # It runs these two with the interface and the address. Once the first one has ended, it announces the address by gratuitous ARP.
    DIRECTORY = '/etc/ucarp'
    UP = "#{DIRECTORY}/up".freeze
    DOWN = "#{DIRECTORY}/down".freeze
    PASSWORD = "#{DIRECTORY}/password".freeze
    # It refuses longer passwords.
    LONGEST_PASSWORD = 19

    module_function

    # An advertisement each second, and 1/10 s more for each controller after the first: the address goes to the first one that works. One
    # without a sign of another one for three seconds takes it.
    #
    # @param index [Integer] which of the controllers it is, from 0
    # @return [String] the command line
    # @raise [RuntimeError] UCARP can't move this address
    def command(interface, own, virtual, index)
      raise "openstack.ha.daemon: ucarp moves IPv4 addresses only, not #{virtual}; use keepalived" unless IPAddr.new(virtual).ipv4?

      options = {
        interface: interface, srcip: own, addr: virtual, vhid: vhid(virtual), passfile: PASSWORD,
        advbase: 1, advskew: 25 * index, deadratio: 3, upscript: UP, downscript: DOWN,
        facility: 'none' # stderr is in the journal already
      }
      ['/usr/sbin/ucarp', *options.map { |name, value| "--#{name}=#{value}" }, '--shutdown'].join(' ')
    end

    # @return [Integer] 1 to 255: the same on all controllers, and another one for each of 255 addresses in a row
    def vhid(virtual)
      IPAddr.new(virtual).to_i % 255 + 1
    end
  end
end
