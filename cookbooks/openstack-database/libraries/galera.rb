# frozen_string_literal: true

require 'json'
require 'net/http'

module OpenstackDatabase
  # A cluster of MariaDB servers, in which each member has all data.
  module Galera
    PROGRAM = '/usr/local/lib/openstack/openstack-galera'
    UNIT = 'openstack-galera'
    # where {PROGRAM} answers: GET / for HAProxy, GET /position for the other members
    STATUS = OpenstackCommon::Frontends::GALERA_CHECK
    GROUP = 4567
    INCREMENTAL = 4568
    TRANSFER = 4444
    PORTS = [GROUP, INCREMENTAL, TRANSFER].freeze

    DATA = '/var/lib/mysql'

    ALIVE = %w(synced primary).freeze
    # not in a primary component yet, but may get there
    FORMING = %w(non-primary starting waiting joining).freeze
    NO_UUID = '00000000-0000-0000-0000-000000000000'

    module_function

    # @param member [OpenstackCommon::Members::Member] this node
    # @param members [Array<OpenstackCommon::Members::Member>] all members
    # @param tls [Hash{Symbol => String}, nil] the files certificate, key and ca, if connections between members are encrypted
    # @param plain [Boolean] whether to also accept members that do not encrypt yet
    # @return [Hash] {section => {option => value}} for MariaDB
    def options(member, members, tls: nil, plain: false)
      provider = {
        'gmcast.listen_addr' => "tcp://#{member.address}:#{GROUP}",
        'ist.recv_addr' => "#{member.address}:#{INCREMENTAL}",
        # writes wait until a member that is gone counts as such; the defaults are 5 and 15 seconds
        'evs.suspect_timeout' => 'PT3S',
        'evs.inactive_timeout' => 'PT10S',
      }
      if tls
        provider.merge!('socket.ssl' => 'yes', 'socket.ssl_cert' => tls[:certificate], 'socket.ssl_key' => tls[:key], 'socket.ssl_ca' => tls[:ca])
        provider['socket.dynamic'] = 'yes' if plain
      end
      {
        'mysqld' => {
          'wsrep_on' => 'ON',
          'wsrep_provider' => '/usr/lib/galera/libgalera_smm.so',
          'wsrep_provider_options' => provider.map { |key, value| "#{key}=#{value}" }.join(';'),
          'wsrep_cluster_name' => 'openstack',
          'wsrep_cluster_address' => "gcomm://#{members.map(&:address).join(',')}",
          'wsrep_node_name' => member.name,
          'wsrep_node_address' => member.address,
          'wsrep_sst_method' => 'mariabackup',
          # the Unix user mysql, which needs no password at the Unix socket
          'wsrep_sst_auth' => 'mysql:',
          'binlog_format' => 'ROW',
          'innodb_autoinc_lock_mode' => 2,
        },
        'sst' => { 'sockopt' => "bind=#{member.address}", 'ssl-mode' => ('VERIFY_CA' if tls && !plain) },
      }
    end

    # @return [Hash, nil] what {PROGRAM} says of the MariaDB there; nil if it does not respond
    def position(address)
      response = Net::HTTP.start(address, STATUS, open_timeout: 5, read_timeout: 20) { |http| http.get('/position') }
      JSON.parse(response.body)
    rescue SystemCallError, IOError, Timeout::Error, Net::ProtocolError, JSON::ParserError
      nil
    end

    # A MariaDB that was ever started with Galera has a grastate.dat.
    #
    # @return [Boolean] whether this node has some of these databases, and was never in a cluster: nobody else has their data
    def alone?(databases)
      !File.exist?("#{DATA}/grastate.dat") && databases.any? { |name| File.directory?("#{DATA}/#{name}") }
    end

    # How to start or restart this member's MariaDB.
    #
    # @param mine [Hash] its {position}
    # @param peers [Hash{String => Hash, nil}] those of the other members, by name
    # @param recorded [Array<String>] the other members that have been in the cluster before, by the Chef server's record
    # @param first [Boolean] whether this member creates a cluster that does not exist yet
    # @param alone [Boolean] whether it has databases that are in no cluster yet ({alone?}); it then begins the cluster with them, also if it is not the first
    # @param others [Array<String>] the other members that have such, by the Chef server's record
    # @return [Symbol] :restart, to join the others, or :bootstrap, to begin a cluster with this node's data
    # @raise [RuntimeError] neither is safe; says what to do
    def verb(mine, peers, recorded:, first:, alone: false, others: [])
      alive = having(peers) { |peer| ALIVE.include?(peer['state']) }
      # they find the one with the newest data, and begin with it
      down = having(peers) { |peer| peer['uuid'] != NO_UUID || FORMING.include?(peer['state']) } - alive
      refuse_replacing(alive + down) if alone && (alive + down).any?
      return :restart if alive.any?
      return mine['size'] > 1 ? :restart : :bootstrap if ALIVE.include?(mine['state'])
      return :restart if down.any?

      silent = recorded.select { |name| peers[name].nil? }
      if silent.any?
        raise "Galera: #{silent.join(' and ')} #{silent.one? ? 'is a member' : 'are members'} of the cluster, and #{silent.one? ? 'does' : 'do'} not respond; " \
              "a second cluster would not have its data. Start #{silent.one? ? 'it' : 'them'}, or if the data there is lost for good, run `#{PROGRAM} bootstrap` on this node, and converge again"
      end
      return :bootstrap if alone
      refuse_lacking(others) if others.any? && mine['uuid'] == NO_UUID
      return :bootstrap if first
      raise "Galera: no other member responds, and this node does not create the cluster; converge the first one of openstack.ha.members (#{peers.keys.first}) before it" if mine['uuid'] == NO_UUID

      :restart
    end

    # @return [Array<String>] the names of the members that respond, and of which the block is true
    def having(peers)
      peers.compact.select { |_, peer| yield peer }.keys
    end

    def refuse_replacing(names)
      listed = names.join(' and ')
      raise "Galera: this node's databases are in no cluster yet, and would be replaced if it joined the one on #{listed}; " \
            "to keep them, install #{listed} anew, and converge this node first, or to give them up, install this node anew"
    end

    def refuse_lacking(names)
      listed = names.join(' and ')
      raise "Galera: the databases of this cloud are on #{listed}, in no cluster yet, and one that begins on this node would not have them; " \
            "converge #{listed} before this node, or if the data there is lost for good, delete #{listed} from the Chef server"
    end
  end

  # For recipes.
  module Helpers
    # A cloud that changes to encrypted connections does so member by member: as long as one does not encrypt, those that do accept it.
    #
    # @param tls [Hash{Symbol => String}, nil] the files certificate, key and ca, if internal connections are encrypted
    # @return [Hash] {section => {option => value}} for a member of the cluster; empty on any other node
    def openstack_galera_options(tls)
      return {} unless openstack_member?

      plain = tls && openstack_peers.any? do |peer|
        found = OpenstackDatabase::Galera.position(peer.address)
        found && OpenstackDatabase::Galera::ALIVE.include?(found['state']) && !found['tls']
      end
      me = openstack_members.find { |member| member.name == node.name }
      OpenstackDatabase::Galera.options(me, openstack_members, tls: tls, plain: plain)
    end
  end
end

Chef::DSL::Universal.include(OpenstackDatabase::Helpers) if defined?(Chef::DSL::Universal)
