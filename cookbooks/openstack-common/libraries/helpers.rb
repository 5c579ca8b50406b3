# frozen_string_literal: true

require 'erb'
require_relative 'members'
require_relative 'tls'

module OpenstackCommon
  # Addresses, URLs, passwords and configuration sections, for recipes and resources.
  module Helpers
    include Members
    include Tls

    LOOPBACK = '127.0.0.1'

    # Defaults for the URL of each service; attributes override them.
    # recipe: the service runs on the node that has this recipe in its run list.
    # tls: the port of its public endpoint over TLS, the one that TripleO gave it.
    # check: it speaks HTTP, and answers this path cheaply, and without a token, while it works.
    SERVICES = {
      'db' => { recipe: 'openstack-database::controller', port: 3306 },
      'mq' => { recipe: 'openstack-messaging::controller', port: 5672 },
      'memcached' => { recipe: 'openstack-memcached::controller', port: 11_211 },
      'identity' => { recipe: 'openstack-identity::controller', port: 5000, tls: 13_000, path: '/v3', check: '/v3' },
      'image' => { recipe: 'openstack-image::controller', port: 9292, tls: 13_292, check: '/healthcheck' },
      'placement' => { recipe: 'openstack-placement::controller', port: 8778, tls: 13_778, check: '/' },
      'compute' => { recipe: 'openstack-compute::controller', port: 8774, tls: 13_774, path: '/v2.1', check: '/' },
      'metadata' => { recipe: 'openstack-compute::controller', port: 8775, check: '/' },
      'novnc' => { recipe: 'openstack-compute::controller', port: 6080, tls: 13_080, path: '/vnc_lite.html', check: '/vnc_lite.html' },
      'network' => { recipe: 'openstack-network::controller', port: 9696, tls: 13_696, check: '/' },
      'ovn_nb' => { recipe: 'openstack-network::controller', port: 6641, scheme: 'tcp' },
      'ovn_sb' => { recipe: 'openstack-network::controller', port: 6642, scheme: 'tcp' },
      'dashboard' => { recipe: 'openstack-dashboard::controller', port: 80, tls: 443, path: '/horizon/', check: '/horizon/' },
      'block_storage' => { recipe: 'openstack-block-storage::controller', port: 8776, tls: 13_776, path: '/v3', check: '/' },
      'object_storage' => { recipe: 'openstack-object-storage::proxy', port: 8080, tls: 13_808, path: '/v1/AUTH_%(project_id)s', check: '/healthcheck' },
      'orchestration' => { recipe: 'openstack-orchestration::controller', port: 8004, tls: 13_004, path: '/v1/%(project_id)s', check: '/' },
      'ceph' => { recipe: 'openstack-ceph::cluster', port: 3300 },
    }.freeze

    # oslo.messaging's options. Queues outlive the broker: a service that calls another one before that has started gets its answer then. If the
    # queue does not exist, the call is lost, and nova-compute waits ten seconds before it tries again.
    RABBIT = { 'amqp_durable_queues' => true }.freeze

    # Those for a cluster: all queues have replicas, and a broker that does not answer is noticed in seconds.
    # Not use_queue_manager: it names the queues for replies after host and process, and those of several services under uWSGI would be the same.
    RABBIT_CLUSTER = {
      **RABBIT,
      'rabbit_quorum_queue' => true,
      'rabbit_transient_quorum_queue' => true,
      'heartbeat_timeout_threshold' => 10,
      'rabbit_interval_max' => 5,
    }.freeze

    # The services that {#openstack_api} knows: their name in messages, and the microversion of requests.
    APIS = {
      'compute' => ['Nova', 'compute 2.61'], # the first one that lists flavors with their description and extra specs
      'image' => ['Glance', nil],
      'network' => ['Neutron', nil],
      'block_storage' => ['Cinder', nil],
    }.freeze

    # The virtual host of RabbitMQ with a single controller.
    MQ_VHOST = 'openstack'

    # Seconds that a query may take, also one that upgrades a schema.
    DB_READ_TIMEOUT = 120

    # @return [String] the address at which other nodes reach this one
    def openstack_address(of = node)
      of.dig('openstack', 'address') || of['ipaddress']
    end

    # @param service [String] a key of {SERVICES}
    # @return [String] the address at which the service listens on this node; one that only this node reaches if HAProxy accepts TLS for it
    def openstack_bind_address(service)
      given = node.dig('openstack', 'bind_service', 'all', service, 'host')
      given || (openstack_tls_all? && openstack_behind_haproxy?(service) ? LOOPBACK : openstack_address)
    end

    # The host of a service: the attribute, else this node if it runs the service, else the one
    # node of this environment that does. If several controllers run it, it is the virtual address for HTTP, where HAProxy passes
    # requests on to all of them. So it is for the database; but the controllers use their own HAProxy, which does not move.
    #
    # @param service [String] a key of {SERVICES}
    # @param interface [String] 'internal' or 'public'; a public host that isn't set is the internal one
    # @raise [RuntimeError] no node runs the service, or several nodes do
    def openstack_host(service, interface = 'internal')
      openstack_endpoint(service, interface, 'host') || openstack_endpoint(service, 'internal', 'host') || find_openstack_host(service)
    end

    # @param service [String] a key of {SERVICES} without HTTP: its clients know all nodes that run it
    # @return [Array<Member>] these nodes; the name is nil if an attribute has the host
    def openstack_servers(service)
      given = openstack_endpoint(service, 'internal', 'host')
      return [Member.new(nil, given)] if given

      found = openstack_nodes(SERVICES.fetch(service)[:recipe])
      return openstack_members if openstack_shared?(found)

      [Member.new(found.first&.name, find_openstack_host(service))]
    end

    # @param service [String] a key of {SERVICES} that not every cloud has
    # @return [Boolean] whether an attribute has its host, or a node of this environment runs it
    def openstack_has?(service)
      !openstack_endpoint(service, 'internal', 'host').nil? || openstack_nodes(SERVICES.fetch(service)[:recipe]).any?
    end

    # @return [Integer] the port of a service
    def openstack_port(service, interface = 'internal')
      known = SERVICES.fetch(service)
      Integer(openstack_endpoint(service, interface, 'port') || (known[:tls] if interface == 'public' && openstack_over_tls?(service, interface)) || known[:port])
    end

    # @return [String] a service's URL, such as http://10.0.112.10:5000/v3
    def openstack_url(service, interface = 'internal')
      known = SERVICES.fetch(service)
      return ovsdb_url(service) if known[:scheme] == 'tcp'

      default = openstack_over_tls?(service, interface) ? 'https' : 'http'
      scheme = openstack_endpoint(service, interface, 'scheme') || default
      path = openstack_endpoint(service, interface, 'path') || known[:path]
      "#{scheme}://#{openstack_host(service, interface)}:#{openstack_port(service, interface)}#{path}"
    end

    # @return [Hash] a service's URLs for Keystone's catalog, {interface => URL}
    def openstack_endpoints(service)
      %w(public internal admin).to_h { |interface| [interface, openstack_url(service, interface)] }
    end

    # @return [String] the value of an item of an (encrypted) data bag: the field with the same name as the item
    # @raise [RuntimeError] the bag, the item or the field is missing
    def openstack_password(bag, item)
      cache = node.run_state[:openstack_passwords] ||= {}
      cache[[bag, item]] ||= data_bag_item(bag, item)[item] ||
                             raise("data bag #{bag}, item #{item}: field #{item} is missing; add it with the password as its value")
    rescue Net::HTTPClientException, Chef::Exceptions::InvalidDataBagPath => e
      raise "data bag #{bag} has no item #{item} that this node can read (#{e.message}); create it, or let `stackcook upload` generate it"
    end

    # @return [Array<String>] memcached's servers as 'host:port'. If internal connections are encrypted, these are ports at which HAProxy
    #   of this node leads to them: not all clients of memcached can use TLS
    def openstack_memcached_servers
      given = node['openstack']['memcached_servers']
      return Array(given) if given

      tunnels = openstack_memcached_tunnels
      return tunnels.keys.map { |port| "#{LOOPBACK}:#{port}" } if tunnels.any?

      hosts = openstack_tls_all? ? [LOOPBACK] : openstack_servers('memcached').map(&:address)
      hosts.map { |host| "#{host}:#{openstack_port('memcached')}" }
    end

    # @return [Hash{Integer => Member}] the port of 127.0.0.1 for each memcached server; empty without TLS, and if the only one is on this node
    def openstack_memcached_tunnels
      return {} if !openstack_tls_all? || node['openstack']['memcached_servers']

      servers = openstack_servers('memcached')
      return {} if servers.map(&:address) == [openstack_address]

      servers.each_with_index.to_h { |server, index| [openstack_port('memcached') + 1 + index, server] }
    end

    # @param user [String] the database's user, whose password is in the bag db_passwords
    # @return [String] the URL of a database, for SQLAlchemy
    def db_url(user, database = user)
      password = ERB::Util.url_encode(openstack_password('db_passwords', user))
      options = {
        # PyMySQL then verifies the certificate, and the host's name or address in it
        'ssl_ca' => openstack_internal_ca,
        # the last resort: HAProxy ends connections to a database that does not answer, but it may be in trouble itself
        'read_timeout' => (DB_READ_TIMEOUT if openstack_ha?),
      }.compact
      query = "?#{options.map { |name, value| "#{name}=#{value}" }.join('&')}" if options.any?
      "mysql+pymysql://#{user}:#{password}@#{openstack_host('db')}:#{openstack_port('db')}/#{database}#{query}"
    end

    # Not through the HAProxy of a controller, which may not be ready yet.
    #
    # @param user [String] the database's user, whose password is in the bag db_passwords
    # @return [OpenstackCommon::Mariadb] a client that logs in to the MariaDB of this node if it is a controller of several, else to the cloud's
    def openstack_mariadb(user, database = user)
      OpenstackCommon::Mariadb.new(
        user, password: openstack_password('db_passwords', user), database: database,
              host: openstack_member? ? openstack_bind_address('db') : openstack_host('db'), port: openstack_port('db'),
              ca: openstack_internal_ca
      )
    end

    # A cluster has a virtual host of its own, because its queues are of another type. When one controller becomes three, services that have
    # not converged yet declare their queues again as soon as the first one is a member, and RabbitMQ would refuse them to those that have.
    #
    # @return [String] the virtual host of RabbitMQ for the services
    def openstack_mq_vhost
      node.dig('openstack', 'mq', 'vhost') || (openstack_servers('mq').size > 1 ? 'openstack-cluster' : MQ_VHOST)
    end

    # @return [String] the URL of RabbitMQ, for oslo.messaging; with several controllers, it has all of them
    def transport_url
      user = node.dig('openstack', 'mq', 'user') || 'openstack'
      login = "#{ERB::Util.url_encode(user)}:#{ERB::Util.url_encode(openstack_password('user_passwords', user))}"
      "rabbit://#{openstack_servers('mq').map { |server| "#{login}@#{server.address}:#{openstack_port('mq')}" }.join(',')}/#{openstack_mq_vhost}"
    end

    # For services with a {transport_url}.
    #
    # @return [Hash] oslo.messaging's section
    def openstack_rabbit_section
      several = openstack_servers('mq').size > 1
      options = (several ? RABBIT_CLUSTER : RABBIT).dup
      if openstack_tls_all?
        # Of several hosts, oslo.messaging expects the name of the first one in the certificates of all, and never connects to another one.
        # The CA is the cloud's own: it signs the certificates of its nodes only.
        options.merge!('ssl' => true, 'ssl_ca_file' => OpenstackCommon::Tls::CA, 'ssl_enforce_hostname_verification' => !several)
      end
      { 'oslo_messaging_rabbit' => options }
    end

    # @param user [String] the service's user, whose password is in the bag service_passwords
    # @return [Hash] the options with which a service logs in to Keystone to call other services
    def keystone_client_section(user)
      {
        'auth_type' => 'password',
        'auth_url' => openstack_url('identity'),
        'project_domain_name' => 'Default',
        'user_domain_name' => 'Default',
        'project_name' => 'service',
        'username' => user,
        'password' => OpenstackCommon::Ini.literal(openstack_password('service_passwords', user)),
        'region_name' => node['openstack']['region'],
        'cafile' => openstack_internal_ca,
      }.compact
    end

    # @return [Hash] the options with which a service checks the tokens of its clients
    def keystone_authtoken(user)
      keystone_client_section(user).merge(
        # only named in responses to clients without a token; the public URL would restart all services whenever it changes
        'www_authenticate_uri' => openstack_url('identity'),
        'memcached_servers' => openstack_memcached_servers.join(','),
        'service_token_roles' => 'service',
        'service_token_roles_required' => true,
        # a server that is down delays a request by a second, once in half a minute
        **(openstack_ha? ? { 'memcache_pool_socket_timeout' => 1, 'memcache_pool_dead_retry' => 30 } : {})
      )
    end

    # Without TLS as well: a cloud that changes to it need not restart its services.
    #
    # @return [Hash] the section with which an API makes the links in its responses as the client has reached HAProxy
    def openstack_proxy_section
      { 'oslo_middleware' => { 'enable_proxy_headers_parsing' => true } }
    end

    # @return [String, nil] the file with the CA certificates that clients of public endpoints need; nil if they need none of their own
    def openstack_ca_file
      OpenstackCommon::Frontends::CA unless !openstack_tls? || openstack_certificate['ca'].empty?
    end

    # Makes a service of this node reachable through HAProxy, if the cloud has TLS or several controllers. All services of a node share one
    # resource, at the place of the first: the endpoints work before the catalog names them.
    #
    # @param service [String] a key of {SERVICES} that speaks HTTP, or db or memcached
    # @param first_only [Boolean] whether only the first of several controllers may answer
    def openstack_frontend(service, first_only: false)
      # over TLS, internal endpoints have ports of their own, which only nodes of the cloud need
      (node.run_state[:openstack_internal_ports] ||= []) << openstack_port(service) if openstack_tls_all? && service != 'dashboard'
      edit_resource(:openstack_frontends, 'public') do
        services (services + [service]).uniq
        first_only_services (first_only_services + [service]).uniq if first_only
      end
    end

    # @return [Boolean] whether this node has HAProxy in front of its services
    def openstack_frontends?
      openstack_tls? || openstack_member?
    end

    # Adds sections to a configuration file. The controller and compute recipes of a service share one file
    # if they run on the same node: each adds its sections to the same resource at compile time.
    #
    # @param path [String] the file of the openstack_config
    # @param owner [Hash] the properties `service` and `group` of the openstack_config, and `mode` if it isn't the default
    # @param sections [Hash] {section => {option => value}}
    def openstack_config_part(path, owner, sections)
      edit_resource(:openstack_config, path) do
        service owner.fetch(:service)
        group owner.fetch(:group)
        mode owner[:mode] if owner[:mode]
        defaults Chef::Mixin::DeepMerge.merge(defaults || {}, sections)
      end
    end

    # @return [OpenstackCommon::Keystone] a client that is logged in as admin; the same one for the whole run
    def openstack_keystone
      node.run_state[:openstack_keystone] ||= OpenstackCommon::Keystone.new(
        url: openstack_url('identity'),
        user: 'admin', project: 'admin',
        password: openstack_password('user_passwords', 'admin'),
        timeout: node['openstack']['start_timeout'], ca_file: openstack_internal_ca
      )
    end

    # @param service [String] a key of {APIS}
    # @return [OpenstackCommon::Rest] a client of the service, logged in as admin; the same one for the whole run
    def openstack_api(service)
      clients = node.run_state[:openstack_apis] ||= {}
      name, version = APIS.fetch(service)
      clients[service] ||= OpenstackCommon::Rest.new(
        name: name, url: openstack_url(service),
        timeout: node['openstack']['start_timeout'], ca_file: openstack_internal_ca,
        headers: { 'OpenStack-API-Version' => version }.compact
      ) { |renew| openstack_keystone.token(renew: renew) }
    end

    # @return [Array<Integer, String>] the ports of this node's services to which only nodes of the cloud may connect
    def openstack_internal_ports
      [*node['openstack']['services'].values.flat_map { |service| service['internal_ports'] }, *node.run_state[:openstack_internal_ports]].uniq
    end

    # @return [Boolean] whether the run covers some of the node's recipes only (chef-client --override-runlist). What the services of a node
    #   share then stays as it is
    def openstack_partial_run?
      node.override_runlist_set?
    end

    # Without a Chef server, as in Test Kitchen, a run may cover some of the node's recipes only, and knows no other nodes.
    #
    # @return [Symbol] the action of the openstack_firewall
    def openstack_firewall_action
      firewall = node.dig('openstack', 'firewall').to_h
      return :delete if firewall['enabled'] == false

      openstack_partial_run? || (Chef::Config[:local_mode] && !firewall['nodes']) ? :nothing : :create
    end

    # The nodes of this environment are found by the attribute, else by a search.
    #
    # @return [Array<String>] addresses and networks that may connect to the internal ports of this node
    def openstack_firewall_sources
      given = node.dig('openstack', 'firewall', 'nodes')
      nodes = given ? Array(given).flat_map(&:split) : openstack_addresses
      [*nodes, *node.dig('openstack', 'firewall', 'also')]
    end

    # Repeats the block until it returns something, for at most openstack.start_timeout seconds.
    #
    # @param complaint [String] what is wrong after that
    # @param pause [Numeric] seconds between two tries
    # @return [Object] what the block has returned
    # @raise [RuntimeError] with the complaint
    def openstack_wait_until(complaint, pause: 1)
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + node['openstack']['start_timeout']
      until (found = yield)
        raise complaint if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline

        sleep pause
      end
      found
    end

    # @return [Boolean] whether a recipe is in this node's run list, or in a role of it
    def openstack_runs?(recipe)
      node.recipe?(recipe) || Array(node['recipes']).include?(recipe)
    end

    private

    # OVSDB addresses have no slashes, and there may be several: tcp:10.0.112.10:6642,tcp:10.0.112.11:6642
    def ovsdb_url(service)
      scheme = openstack_endpoint(service, 'internal', 'scheme') || (openstack_tls_all? ? 'ssl' : SERVICES.fetch(service)[:scheme])
      openstack_servers(service).map { |server| "#{scheme}:#{server.address}:#{openstack_port(service)}" }.join(',')
    end

    def openstack_over_tls?(service, interface)
      known = SERVICES.fetch(service)
      interface == 'public' ? openstack_tls? && known.key?(:tls) : openstack_tls_all? && known.key?(:check)
    end

    def openstack_behind_haproxy?(service)
      service == 'memcached' || SERVICES.fetch(service).key?(:check)
    end

    # @param nodes [Array<Chef::Node>] those that run a service
    def openstack_shared?(nodes)
      openstack_ha? && nodes.any? { |found| openstack_members.any? { |member| member.name == found.name } }
    end

    def openstack_endpoint(service, interface, field)
      # the database and RabbitMQ have no interfaces: openstack.endpoints.db.host works too
      node.dig('openstack', 'endpoints', interface, service, field) || node.dig('openstack', 'endpoints', service, field)
    end

    def find_openstack_host(service)
      recipe = SERVICES.fetch(service)[:recipe]
      found = openstack_nodes(recipe)
      return shared_openstack_host(service) if openstack_shared?(found)
      return openstack_address(found.first) if found.one?

      raise "#{service}: recipe[#{recipe}] is on #{found.empty? ? 'no node' : found.map(&:name).sort.join(' and ')} of environment " \
            "#{node.chef_environment}; put it on exactly one node, or set openstack.endpoints.internal.#{service}.host"
    end

    def shared_openstack_host(service)
      return openstack_virtual_address if SERVICES.fetch(service).key?(:check)
      return openstack_member? ? LOOPBACK : openstack_virtual_address if service == 'db'

      openstack_member? ? openstack_address : openstack_members.first.address
    end

    # @return [Array<String>] of the nodes of this environment that have one: {openstack_address}
    def openstack_addresses
      fields = { 'address' => %w(openstack address), 'ipaddress' => %w(ipaddress) }
      found = search(:node, "chef_environment:#{node.chef_environment}", filter_result: fields)
      [openstack_address, *found.filter_map { |row| row['address'] || row['ipaddress'] }].uniq
    end

    # Searches once per run.
    #
    # @param all [Boolean] whether to search even if this node runs the recipe, for other nodes
    # @return [Array<Chef::Node>] this node if it runs the recipe, else those of its environment that do
    def openstack_nodes(recipe, all: false)
      return [node] if !all && openstack_runs?(recipe)

      found = node.run_state[:openstack_nodes] ||= {}
      found[recipe] ||= search(:node, "recipes:#{recipe.gsub(':', '\:')} AND chef_environment:#{node.chef_environment}")
    end
  end
end

Chef::DSL::Universal.include(OpenstackCommon::Helpers) if defined?(Chef::DSL::Universal)
