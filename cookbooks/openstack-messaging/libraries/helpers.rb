# frozen_string_literal: true

module OpenstackMessaging
  # RabbitMQ's options: alone, or as a member of the cluster of all controllers.
  module Helpers
    DEFINITIONS = '/etc/rabbitmq/definitions.json'
    DISTRIBUTION = '/etc/rabbitmq/distribution.config'

    # @return [String] the name of this node's RabbitMQ
    def rabbitmq_node_name
      return node['openstack']['mq']['node_name'] unless openstack_member?

      OpenstackMessaging::Cluster.node_name(openstack_address, tls: openstack_tls_all?)
    end

    # @param members [Array<OpenstackCommon::Members::Member>] controllers
    # @return [Array<String>] the names of their RabbitMQ nodes
    def rabbitmq_names(members)
      members.map { |member| OpenstackMessaging::Cluster.node_name(member.address, tls: openstack_tls_all?) }
    end

    # @return [Hash{String => Object}] for rabbitmq.conf
    def rabbitmq_options
      {
        # loaded at each start, before RabbitMQ listens. With such a file, RabbitMQ does not create its default user `guest`
        'load_definitions' => DEFINITIONS,
      }.merge(rabbitmq_listener, openstack_member? ? rabbitmq_cluster : {}, node['openstack']['mq']['conf'])
    end

    # @return [Hash{String => String}] for rabbitmq-env.conf
    def rabbitmq_environment
      unless openstack_member?
        # other nodes speak AMQP only
        return { 'NODENAME' => rabbitmq_node_name, 'SERVER_ADDITIONAL_ERL_ARGS' => '"-kernel inet_dist_use_interface {127,0,0,1}"' }
      end

      # net_ticktime: seconds, at most 125 % of it, until a node that is cut off is noticed; Erlang's default is a minute
      interface = "-kernel inet_dist_use_interface #{OpenstackMessaging::Cluster.tuple(openstack_address)} -kernel net_ticktime 16"
      tls = openstack_tls_all? ? "-pa $ERL_SSL_PATH -proto_dist inet_tls -ssl_dist_optfile #{DISTRIBUTION}" : ''
      environment = {
        'NODENAME' => rabbitmq_node_name,
        'USE_LONGNAME' => 'true', # what is after the @ may have dots, so it may be an address
        'DIST_PORT' => OpenstackMessaging::Cluster::PORT,
      }
      environment['ERL_SSL_PATH'] = '$(echo /usr/lib/erlang/lib/ssl-*/ebin)' unless tls.empty?
      environment['SERVER_ADDITIONAL_ERL_ARGS'] = "\"#{[interface, tls].reject(&:empty?).join(' ')}\""
      environment['CTL_ERL_ARGS'] = "\"#{tls}\"" unless tls.empty?
      environment
    end

    # @return [String] the TLS options of connections between the nodes, as Erlang terms
    def rabbitmq_distribution
      paths = openstack_tls_paths('rabbitmq')
      files = "{cacertfile, \"#{paths[:ca]}\"}, {certfile, \"#{paths[:certificate]}\"}, {keyfile, \"#{paths[:key]}\"}"
      common = "#{files}, {verify, verify_peer}, {secure_renegotiate, true}"
      "[{server, [#{common}, {fail_if_no_peer_cert, true}]},\n {client, [#{common}]}].\n"
    end

    # Erlang looks for renewed certificates every two minutes. Until then, RabbitMQ shows one that may have expired.
    #
    # @return [Boolean] whether a user can log in with this password, and may use the virtual host
    def rabbitmq_login?(user, password, vhost)
      tries = 0
      begin
        OpenstackMessaging::Amqp.login?(openstack_bind_address('mq'), openstack_port('mq'), user, password, vhost: vhost, ca: openstack_internal_ca)
      rescue OpenSSL::SSL::SSLError
        raise if (tries += 1) > 30

        sleep 5
        retry
      end
    end

    private

    def rabbitmq_listener
      address = "#{openstack_bind_address('mq')}:#{openstack_port('mq')}"
      return { 'listeners.tcp.1' => address } unless openstack_tls_all?

      paths = openstack_tls_paths('rabbitmq')
      {
        'listeners.tcp' => 'none',
        'listeners.ssl.1' => address,
        'ssl_options.cacertfile' => paths[:ca],
        'ssl_options.certfile' => paths[:certificate],
        'ssl_options.keyfile' => paths[:key],
        'ssl_options.verify' => 'verify_none', # clients log in with a password
        'ssl_options.versions.1' => 'tlsv1.3',
        'ssl_options.versions.2' => 'tlsv1.2',
      }
    end

    # No peer discovery: it waits for all nodes, and the first one starts before the others exist. See openstack_rabbitmq_member.
    def rabbitmq_cluster
      {
        'cluster_name' => 'openstack',
        'cluster_partition_handling' => 'pause_minority',
        'default_queue_type' => 'quorum',
        # queues get a replica on each member, also on one that joins later
        'quorum_queue.continuous_membership_reconciliation.enabled' => true,
        'quorum_queue.continuous_membership_reconciliation.auto_remove' => true,
        'quorum_queue.continuous_membership_reconciliation.target_group_size' => openstack_members.size,
      }
    end
  end
end

Chef::DSL::Universal.include(OpenstackMessaging::Helpers) if defined?(Chef::DSL::Universal)
