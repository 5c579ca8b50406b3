# frozen_string_literal: true

provides :openstack_rabbitmq_member
unified_mode true

description 'Makes this node\'s RabbitMQ a member of the cluster of all controllers, before it starts (:prepare) and after that (:join).'

property :node_name, String, name_property: true
property :peers, Array, required: true, description: 'Names of the other RabbitMQ nodes'
property :known, Array, default: [], description: 'Those of them that have been members before'

action :prepare do
  resume if ::File.exist?(OpenstackMessaging::Cluster::JOINING)
  next if OpenstackMessaging::Cluster.data? || new_resource.known.empty? || living.any?

  raise "RabbitMQ of #{new_resource.known.join(' and ')} cannot be reached, and this node would form a second cluster without it: start it, " \
        'check `rabbitmqctl cluster_status` there, and converge again; if these nodes are lost, delete them from the Chef server'
end

action :join do
  next if whyrun_mode?

  found = status
  join unless living.empty? || found.members.size > 1
  found = cluster unless whole?(found)
  gone = found.members - [new_resource.node_name, *new_resource.peers]
  gone.each { |name| forget(name, at: new_resource.node_name) }
end

action_class do
  def status
    OpenstackMessaging::Cluster.status(new_resource.node_name) ||
      raise("RabbitMQ does not answer as #{new_resource.node_name}; see /var/log/rabbitmq/#{new_resource.node_name}.log")
  end

  def living
    @living ||= new_resource.peers.select { |name| OpenstackMessaging::Cluster.living?(name) }
  end

  # Members that know this node's name, as that of a machine that was lost, reject it until they have forgotten it.
  def join
    peer = living.first
    known = OpenstackMessaging::Cluster.status(peer)&.members || raise("RabbitMQ does not answer as #{peer}; see its log there")
    file OpenstackMessaging::Cluster::JOINING
    converge_by('leave its own cluster') { %w(stop_app reset).each { |command| control(new_resource.node_name, command) } }
    forget(new_resource.node_name, at: peer) if known.include?(new_resource.node_name)
    converge_by "join the cluster of #{peer}" do
      [['join_cluster', peer], %w(start_app)].each { |command| control(new_resource.node_name, *command) }
    end
    joining_ends
  end

  # After a run that ended in between: RabbitMQ would never listen.
  def resume
    if OpenstackMessaging::Cluster.living?(new_resource.node_name)
      converge_by('start RabbitMQ, which an earlier run has stopped to join') { control(new_resource.node_name, 'start_app') }
    end
    joining_ends
  end

  def joining_ends
    file OpenstackMessaging::Cluster::JOINING do
      action :delete
      backup false
    end
  end

  # Repeats it until the other nodes have noticed that it does not run any more.
  def forget(name, at:)
    converge_by "forget #{name}" do
      patiently("#{name} is not forgotten by #{at}: is it still running?") { control(at, 'forget_cluster_node', name) || true }
    end
  end

  # @return [OpenstackMessaging::Cluster::Status] once all nodes that can be reached are in it
  def cluster
    found = nil
    patiently("RabbitMQ on this node and #{living.join(' and ')} are not one cluster") do
      whole?(found = status)
    end
    found
  end

  def whole?(found)
    (living - found.running).empty? && found.partitions.values.all?(&:empty?)
  end

  # Repeats the block until it returns true; a command that fails in it is tried again, too.
  def patiently(complaint)
    deadline = now + node['openstack']['start_timeout']
    until (outcome = attempt { yield }).first
      raise "#{complaint}#{" (#{outcome.last})" if outcome.last}; see /var/log/rabbitmq/#{new_resource.node_name}.log" if now > deadline

      sleep 1
    end
  end

  def attempt
    [yield, nil]
  rescue Mixlib::ShellOut::ShellCommandFailed => e
    [false, e.message.lines.map(&:strip).grep(/\AError/).first]
  end

  def control(name, *command)
    shell_out!('rabbitmqctl', '--quiet', '--node', name, *command, timeout: 120)
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
