# frozen_string_literal: true

require 'json'
require 'mixlib/shellout'

module OpenstackNetwork
  # OVN's databases as a cluster of the controllers (RAFT), with one server of each database on each controller.
  module OvnCluster
    SCHEMAS = { 'nb' => 'OVN_Northbound', 'sb' => 'OVN_Southbound' }.freeze
    PORTS = { 'nb' => 6643, 'sb' => 6644 }.freeze # of connections between the servers

    # What a server knows of its cluster. servers: {ID => address}, such as {'1a2b' => 'tcp:192.0.2.10:6643'}
    Status = Struct.new(:id, :member, :leader, :servers) do
      # @return [Boolean] whether it takes part in decisions, and there is a leader
      def working?
        member && !leader.nil?
      end
    end

    module_function

    # @param text [String] the output of `cluster/status`
    # @return [Status]
    def parse(text)
      leader = text[/^Leader: (\S+)/, 1]
      servers = text.scan(/^ +(\h{4}) \(\h{4} at ([^)]+)\)/).to_h
      Status.new(text[/^Server ID: (\h{4})/, 1], text.match?(/^Status: cluster member$/), (leader unless leader == 'unknown'), servers)
    end

    # @return [Status, nil] nil if the server does not answer
    def status(database)
      ran = Mixlib::ShellOut.new('ovn-appctl', '--timeout=10', '-t', control(database), 'cluster/status', SCHEMAS.fetch(database)).run_command
      parse(ran.stdout) unless ran.error?
    end

    def control(database)
      "/run/ovn/ovn#{database}_db.ctl"
    end

    def file(database)
      "/var/lib/ovn/ovn#{database}_db.db"
    end

    # @return [Boolean] whether this node has a server of a cluster, running or not
    def clustered?(database)
      File.exist?(file(database)) && !Mixlib::ShellOut.new('ovsdb-tool', 'db-is-clustered', file(database)).run_command.error?
    end

    # Only the northbound database has data of its own: northd and the chassis fill the other one.
    #
    # @return [Boolean] whether a database of this node, which is no cluster's, has networks
    def networks?(database)
      return false unless database == 'nb' && File.exist?(file(database))

      query = JSON.generate([SCHEMAS.fetch(database), { op: 'select', table: 'Logical_Switch', where: [], columns: ['_uuid'] }])
      ran = Mixlib::ShellOut.new('ovsdb-tool', 'query', file(database), query).run_command
      ran.error!
      JSON.parse(ran.stdout).first['rows'].any?
    end

    # @param remote [String] such as tcp:192.0.2.10:6643
    # @return [Boolean] whether a server can be reached there
    def living?(remote)
      host, port = remote.match(/\A\w+:\[?(.+?)\]?:(\d+)\z/).captures
      OpenstackCommon::Members.reachable?(host, port)
    end
  end
end
