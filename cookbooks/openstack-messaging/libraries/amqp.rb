# frozen_string_literal: true

require 'openssl'
require 'socket'
require 'timeout'

module OpenstackMessaging
  # Logs in to RabbitMQ as its clients do, with AMQP 0-9-1. rabbitmqctl could check a password too, but takes seconds to
  # start, and reads the password from a terminal or from its arguments.
  module Amqp
    HEADER = "AMQP\x00\x00\x09\x01".b
    FRAME_END = "\xCE".b
    CONNECTION = 10 # the class of the methods below
    START_OK = 11
    TUNE = 30
    TUNE_OK = 31
    OPEN = 40
    OPEN_OK = 41
    CLOSE = 50

    module_function

    # @param ca [String, nil] the file with the CA certificates, if RabbitMQ accepts TLS only
    # @return [Boolean] whether the user can log in with this password, and may use the virtual host
    # @raise [SystemCallError, EOFError, OpenSSL::SSL::SSLError, Timeout::Error] RabbitMQ cannot be reached, or does not answer
    def login?(host, port, user, password, vhost: '/', ca: nil)
      Timeout.timeout(30) do
        connect(host, port, ca) do |socket|
          socket.write(HEADER)
          receive(socket) # what the server supports
          transmit(socket, START_OK, start_ok(user, password))
          method, limits = receive(socket)
          break false unless method == TUNE

          transmit(socket, TUNE_OK, limits.byteslice(0, 6) + [0].pack('n')) # without heartbeats
          transmit(socket, OPEN, "#{short(vhost)}\0\0")
          opened = receive(socket).first == OPEN_OK
          if opened
            transmit(socket, CLOSE, [200, 0, 0, 0].pack('nCnn'))
            receive(socket)
          end
          opened
        end
      end
    end

    def connect(host, port, ca)
      Socket.tcp(host, port) do |socket|
        next yield socket unless ca

        context = OpenSSL::SSL::SSLContext.new
        context.set_params(ca_file: ca, cert_store: nil)
        secure = OpenSSL::SSL::SSLSocket.new(socket, context)
        secure.hostname = host unless host.match?(/\A[\d.]+\z|:/)
        secure.connect
        secure.post_connection_check(host)
        yield secure
      end
    end

    # Asks RabbitMQ to say that it rejects the login, instead of just ending the connection.
    def start_ok(user, password)
      capabilities = "#{short('authentication_failure_close')}t\x01"
      long("#{short('capabilities')}F#{long(capabilities)}") + short('PLAIN') + long("\0#{user}\0#{password}") + short('en_US')
    end

    def short(text)
      [text.bytesize].pack('C') + text.b
    end

    def long(text)
      [text.bytesize].pack('N') + text.b
    end

    def transmit(socket, method, arguments)
      payload = [CONNECTION, method].pack('nn') + arguments.b
      socket.write([1, 0, payload.bytesize].pack('CnN') + payload + FRAME_END)
    end

    # @return [Array] the method that the server sent, and its arguments as bytes
    def receive(socket)
      size = read(socket, 7).unpack1('@3N')
      read(socket, size + FRAME_END.bytesize).unpack('@2na*')
    end

    def read(socket, size)
      data = socket.read(size)
      data && data.bytesize == size ? data : raise(EOFError)
    end
    private_class_method :connect, :start_ok, :short, :long, :transmit, :receive, :read
  end
end
