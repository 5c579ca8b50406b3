# frozen_string_literal: true

module OpenstackCommon
  # HAProxy's configuration for public endpoints over TLS.
  module Frontends
    CONFIG = '/etc/haproxy/haproxy.cfg'
    CERTIFICATE = '/etc/haproxy/openstack.pem'
    CA = '/etc/openstack/ca.pem'
    MARK = '# Written by Chef (openstack-common).'
    ALL = %w(0.0.0.0 :: *).freeze

    # retries: while a service restarts, which takes it seconds, requests wait instead of failing.
    # Images and backups are long requests; consoles are tunnels.
    GENERAL = <<~CONFIG
      global
        log /dev/log local0 notice
        user haproxy
        group haproxy
        ssl-default-bind-options ssl-min-ver TLSv1.2

      defaults
        mode http
        log global
        option httplog
        option dontlognull
        option forwardfor
        retries 10
        timeout http-request 30s
        timeout connect 5s
        timeout client 10m
        timeout server 10m
        timeout tunnel 1h
    CONFIG

    module_function

    # @param frontends [Array<Hash>] each with :name, :address and :port for clients, and :server, the service's HOST:PORT
    def render(frontends)
      [MARK, GENERAL, *frontends.map { |frontend| section(**frontend) }].join("\n")
    end

    # @return [Boolean] whether these cookbooks have configured this node's HAProxy
    def ours?
      File.exist?(CONFIG) && File.read(CONFIG).start_with?(MARK)
    end

    # @return [String, nil] the address of a service that listens at `address`; nil if that means all addresses
    def reachable(address)
      address unless ALL.include?(address)
    end

    # Services believe the X-Forwarded headers, so none may come from a client.
    def section(name:, address:, port:, server:)
      lines = [
        "bind #{address}:#{port} ssl crt #{CERTIFICATE} alpn http/1.1",
        'http-request del-header ^(forwarded|x-forwarded-.*)$ -m reg',
        'http-request set-header X-Forwarded-Proto https',
        "server #{name} #{server}",
      ]
      "listen #{name}\n#{lines.map { |line| "  #{line}\n" }.join}"
    end
  end
end
