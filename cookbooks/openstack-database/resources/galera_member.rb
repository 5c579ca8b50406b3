# frozen_string_literal: true

provides :openstack_galera_member
unified_mode true

description 'Makes the MariaDB of this node a member of the Galera cluster of all controllers, and waits until it has all data (:join). Restarts it if its configuration has changed. ' \
            'Before MariaDB gets that configuration, :prepare fails if data would be lost.'

property :address, String, name_property: true, description: "This member's address"
property :peers, Hash, required: true, description: '{name => address} of the other members'
property :first, [true, false], required: true, description: 'Whether it creates a cluster that does not exist yet'
property :through, [String, nil], desired_state: false, description: 'HOST:PORT of the HAProxy through which the services of this node reach the database; waits until it answers, too'
property :databases, Array, default: [], desired_state: false, description: 'The databases of the cloud. A node that has them, and was never in a cluster, begins the cluster, or fails if there is one'
property :config, Array, required: true, description: 'Files that MariaDB reads when it starts'

default_action :join

# With the configuration of a member, MariaDB may join the others at any start, and take over their data: so this is before it is written.
action :prepare do
  verb_to_start if alone? && !whyrun_mode?
end

action :join do
  reason = reason_to_start
  if reason
    verb = verb_to_start
    converge_by("#{verb} mariadb as a member of the cluster: #{reason}") { start(verb) }
  end
  next if whyrun_mode?

  wait_until_synced
  wait_until_reached if new_resource.through
  # for the other members, in case that this one does not respond then
  node.default['openstack']['ha']['galera'] = position['uuid']
end

action_class do
  # @return [String, nil] why it has to be started or restarted
  def reason_to_start
    unit = OpenstackCommon::Systemd.show('mariadb')
    return 'it is not running' unless unit.running?

    'its configuration has changed since its start' if unit.older_than?(new_resource.config)
  end

  def verb_to_start
    peers = new_resource.peers.transform_values { |address| OpenstackDatabase::Galera.position(address) }
    OpenstackDatabase::Galera.verb(position, peers, recorded: recorded, first: new_resource.first, alone: alone?, others: others)
  end

  def alone?
    OpenstackDatabase::Galera.alone?(new_resource.databases)
  end

  def start(verb)
    return shell_out!(OpenstackDatabase::Galera::PROGRAM, 'bootstrap', timeout: 900) if verb == :bootstrap

    # to receive all data takes a while
    shell_out!('systemctl', 'restart', '--no-block', 'mariadb')
  end

  # @return [Array<String>] the other members whose last converge has found them in the cluster
  def recorded
    known.select { |_, peer| peer.read('openstack', 'ha', 'galera') }.keys
  end

  # @return [Array<String>] those whose last converge has left them with databases, and in no cluster
  def others
    known.select { |_, peer| peer.read('openstack', 'services', 'mariadb') }.keys - recorded
  end

  # By name, as a search may lag.
  #
  # @return [Hash{String => Chef::Node}] the other members that the Chef server has
  def known
    @known ||= new_resource.peers.keys.to_h { |name| [name, load_node(name)] }.compact
  end

  def load_node(name)
    Chef::Node.load(name)
  rescue Net::HTTPClientException => e
    raise unless e.response.code == '404'
  end

  def wait_until_synced
    deadline = now + node['openstack']['start_timeout']
    failed = false
    until (state = position['state']) == 'synced'
      # to receive all data may take longer, but not if it was in vain before
      failed ||= state == 'failed'
      deadline = now + node['openstack']['start_timeout'] if state == 'joining' && !failed
      raise "Galera: #{complaint}; see journalctl -u #{OpenstackDatabase::Galera::UNIT}" if now > deadline

      sleep 0.5
    end
  end

  # HAProxy needs a moment to notice. It accepts connections before, and closes them.
  def wait_until_reached
    host, _, port = new_resource.through.rpartition(':')
    openstack_wait_until("Galera: MariaDB does not answer at #{new_resource.through}; see journalctl -u haproxy", pause: 0.5) { greeted?(host, port) }
  end

  def greeted?(host, port)
    Socket.tcp(host, port, connect_timeout: 5) { |socket| socket.wait_readable(5) && !socket.read(4).nil? }
  rescue SystemCallError
    false
  end

  def position
    OpenstackDatabase::Galera.position(new_resource.address) ||
      raise("Galera: #{OpenstackDatabase::Galera::UNIT} does not respond; see journalctl -u #{OpenstackDatabase::Galera::UNIT}")
  end

  def complaint
    "this member is not synced: #{Net::HTTP.get(new_resource.address, '/', OpenstackDatabase::Galera::STATUS).strip}"
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
