# frozen_string_literal: true

require 'json'
require 'mixlib/shellout'
require_relative 'tls'

module OpenstackCommon
  # HAProxy's configuration. Clients of a service reach it at the node's address or, of several controllers, at their virtual address,
  # where HAProxy passes requests on to all of them.
  module Frontends
    CONFIG = '/etc/haproxy/haproxy.cfg'
    CERTIFICATE = '/etc/haproxy/openstack.pem'
    CA = '/etc/openstack/ca.pem'
    MARK = '# Written by Chef (openstack-common).'
    ALL = %w(0.0.0.0 :: *).freeze
    # of openstack_tls_files
    INTERNAL = 'haproxy'
    # for `show stat`
    SOCKET = '/run/haproxy/openstack.sock'
    # OVSDB's protocol (RFC 7047): whether this member of the cluster is its leader.
    OVN_LEADER = JSON.generate(
      'id' => 0, 'method' => 'transact',
      'params' => ['_Server', { 'op' => 'select', 'table' => 'Database', 'where' => [%w(name == OVN_Northbound)], 'columns' => %w(leader) }]
    ).freeze
    # At which MariaDB's nodes say whether they are members of the cluster.
    GALERA_CHECK = 9200

    # retries: while a service restarts, which takes it seconds, requests wait instead of failing.
    # Images and backups are long requests; consoles are tunnels.
    GENERAL = <<~CONFIG
      global
        log /dev/log local0 notice
        user haproxy
        group haproxy
        ssl-default-bind-options ssl-min-ver TLSv1.2
    CONFIG

    HTTP = <<~CONFIG
      defaults http
        mode http
        log global
        option httplog
        option dontlognull
        option forwardfor
        retries 10
        timeout http-request 30s
        timeout client 10m
        timeout server 10m
        timeout tunnel 1h
    CONFIG

    ONE = "  timeout connect 5s\n"

    # A controller that is cut off does not even refuse connections: the timeouts say how long a request waits for it before it is sent to
    # another one. It is sent again, too, if the connection ends without a response, unless it may have changed something (CHANGES).
    # slowstart: the first requests to a service that has just started take seconds, more so while all of its node starts.
    # timeout check: from the connection to the response. All processes of an API may work on long requests; that is no reason to end these.
    # inter: each HAProxy checks each service of each controller, over TLS; a dead controller costs a request no more than `timeout connect`.
    # observe: after a request that did not reach it, it is checked twice within 3 s; so requests that it was working on do not wait 7 s.
    SEVERAL = <<~CONFIG.gsub(/^/, '  ')
      timeout connect 1s
      timeout check 10s
      option redispatch 1
      retry-on conn-failure empty-response
      default-server inter 4s fastinter 500ms downinter 2s fall 2 rise 2 slowstart 60s on-marked-down shutdown-sessions
      default-server observe layer4 error-limit 1 on-error fastinter
    CONFIG

    CHANGES = 'http-request disable-l7-retry unless METH_GET'

    # Connections to the database are kept open for an hour by the services (connection_recycle_time).
    TCP = <<~CONFIG
      defaults tcp
        mode tcp
        log global
        option dontlognull
        option clitcpka
        option srvtcpka
        option redispatch 1
        retries 3
        timeout connect 2s
        timeout check 1500ms
        timeout client 2h
        timeout server 2h
        default-server inter 1s fastinter 500ms fall 2 rise 2 on-marked-down shutdown-sessions
    CONFIG

    # A port of HAProxy's. certificate: :public, :internal, or nil without TLS
    Bind = Struct.new(:address, :port, :certificate) do
      def to_s
        "bind #{address}:#{port}#{" ssl crt #{certificate == :public ? CERTIFICATE : '@internal/node'}" if certificate}"
      end
    end

    # What answers requests: a service or, with TLS, the HAProxy of its node. options: further words of the line
    Server = Struct.new(:name, :address, :port, :tls, :options) do
      def to_s
        # all nodes have certificates of this CA
        verify = " ssl verify required ca-file #{Tls::CA}#{" verifyhost #{name}" if name}" if tls
        ["server #{name || address} #{address}:#{port}#{verify}", *options].join(' ')
      end
    end

    # binds: what clients connect to; rules: further lines
    Section = Struct.new(:name, :mode, :binds, :rules, :servers) do
      def to_s
        ports = binds.map { |bind| "#{bind}#{' alpn http/1.1' if bind.certificate && mode == :http}" }
        "listen #{name} from #{mode}\n#{[*ports, *rules, *servers].map { |line| "  #{line}\n" }.join}"
      end
    end

    module_function

    # @param sections [Array<Section>]
    # @param several [Boolean] whether the cloud has several controllers
    def render(sections, several: false)
      global = several ? "#{GENERAL}  stats socket #{SOCKET} mode 600 level user\n" : GENERAL
      parts = [MARK, global, *store(sections), HTTP + (several ? SEVERAL : ONE), *(TCP if sections.any? { |section| section.mode == :tcp })]
      [*parts, *sections].join("\n")
    end

    # Services believe the X-Forwarded headers, so none may come from a client.
    #
    # @param trusted [Array<String>] the addresses of HAProxies from which requests may come
    # @return [Array<String>] rules of a section
    def forwarded(binds, trusted: [])
      encrypted = binds.select(&:certificate)
      [
        "http-request del-header ^(forwarded|x-forwarded-.*)$ -m reg#{" unless { src #{trusted.join(' ')} }" if trusted.any?}",
        *("http-request set-header X-Forwarded-Proto https#{' if { ssl_fc }' unless encrypted == binds}" if encrypted.any?),
        *('option forwardfor if-none' if trusted.any?),
      ]
    end

    # @return [Boolean] whether these cookbooks have configured this node's HAProxy
    def ours?
      File.exist?(CONFIG) && File.read(CONFIG).start_with?(MARK)
    end

    # @return [Boolean] whether an administrator uses this node's HAProxy: the configuration of Debian's package has nothing to listen at
    def administrators?
      File.exist?(CONFIG) && !ours? && File.read(CONFIG).match?(/^\s*(?:frontend|listen)\s/)
    end

    # @return [Array<Integer>] the ports of an address at which other programs than HAProxy listen
    def taken(address)
      ran = Mixlib::ShellOut.new(%w(ss --no-header --listening --tcp --numeric --processes)).run_command
      ran.error!
      ran.stdout.lines.map(&:split).filter_map do |columns|
        host, _, port = columns[3].rpartition(':')
        port.to_i if [address, '0.0.0.0', '*'].include?(host) && !columns[5].to_s.include?('"haproxy"')
      end
    end

    # @return [String, nil] the address of a service that listens at `address`; nil if that means all addresses
    def reachable(address)
      address unless ALL.include?(address)
    end

    def store(sections)
      return unless sections.flat_map(&:binds).any? { |bind| bind.certificate == :internal }

      paths = Tls.paths(INTERNAL)
      "crt-store internal\n  load crt #{paths[:certificate]} key #{paths[:key]} alias node\n"
    end
    private_class_method :store
  end
end
