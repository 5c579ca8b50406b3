# frozen_string_literal: true

require 'io/wait'
require 'ipaddr'
require 'json'
require 'mixlib/shellout'
require 'socket'

module OpenstackMessaging
  # RabbitMQ as a cluster of the controllers. Nodes are named by their address, so that no name must be resolved.
  module Cluster
    PORT = 25_672 # of connections between the nodes
    PORT_MAPPER = 4369 # Erlang's, which tells clients that port
    DATA = '/var/lib/rabbitmq/mnesia'
    # There while RabbitMQ is stopped to join a cluster. Its unit is active then.
    JOINING = '/var/lib/rabbitmq/openstack-joining'

    # What a RabbitMQ node knows of its cluster: names of nodes.
    Status = Struct.new(:members, :running, :partitions)

    module_function

    # With TLS it is another node, without the data of before: members with TLS and members without it do not reach each other.
    #
    # @return [String] the name of the RabbitMQ node at this address
    def node_name(address, tls: false)
      "#{tls ? 'rabbit-tls' : 'rabbit'}@#{address}"
    end

    # @return [String] an IP address as a tuple of Erlang
    def tuple(address)
      parts = IPAddr.new(address)
      numbers = parts.ipv4? ? address.split('.') : parts.hton.unpack('n*')
      "{#{numbers.join(',')}}"
    end

    # Asks the port mapper, which takes milliseconds; rabbitmqctl takes seconds.
    #
    # @return [Boolean] whether a RabbitMQ node runs and can be reached
    def living?(node_name)
      name, address = node_name.split('@', 2)
      answer = Socket.tcp(address, PORT_MAPPER, connect_timeout: 3) do |socket|
        socket.write([1, 'n'].pack('na')) # its request NAMES_REQ
        socket.wait_readable(5) ? socket.read : ''
      end
      answer.to_s.include?("name #{name} at port")
    rescue SystemCallError, SocketError
      false
    end

    # @return [Boolean] whether RabbitMQ has run on this machine
    def data?
      !Dir.empty?(DATA)
    rescue SystemCallError
      false
    end

    # @param node_name [String] the one to ask, on this machine or another one
    # @return [Status, nil] nil if it does not answer
    def status(node_name)
      ran = Mixlib::ShellOut.new('rabbitmqctl', '--quiet', '--node', node_name, '--timeout', '15', 'cluster_status', '--formatter', 'json',
                                 timeout: 60).run_command
      return if ran.error?

      found = JSON.parse(ran.stdout)
      Status.new(found['disk_nodes'], found['running_nodes'], found['partitions'].to_h)
    rescue Mixlib::ShellOut::CommandTimeout, JSON::ParserError
      nil
    end
  end
end
