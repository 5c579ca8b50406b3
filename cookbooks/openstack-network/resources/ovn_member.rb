# frozen_string_literal: true

provides :openstack_ovn_member
unified_mode true

description 'Makes this node a member of the cluster of one of OVN\'s databases, before its server starts (:prepare) and after that (:join).'

property :database, String, name_property: true, equal_to: OpenstackNetwork::OvnCluster::SCHEMAS.keys
property :address, String, required: true, description: 'Where the other members reach this one, such as tcp:192.0.2.10:6643'
property :peers, Array, required: true, description: 'The addresses of the others'
property :known, Array, default: [], description: 'Those of them that have been members before'
property :election_timer, Integer, default: 1500, description: 'Milliseconds without a leader after which the members elect another one'

action :prepare do
  next if OpenstackNetwork::OvnCluster.clustered?(new_resource.database)

  living = new_resource.peers.select { |peer| OpenstackNetwork::OvnCluster.living?(peer) }
  if living.any?
    if OpenstackNetwork::OvnCluster.networks?(new_resource.database)
      raise "#{schema}: the networks of this node are in no cluster yet, and if it joined the one at #{living.first}, they would be lost. To keep them, install the controllers there anew, and " \
            'converge this node first; to give them up, install this node anew'
    end
    make("join the cluster of #{schema} at #{living.first}", 'join-cluster', file, schema, new_resource.address, *living)
  elsif new_resource.known.any?
    raise "#{schema} on #{new_resource.known.join(' and ')} cannot be reached, and this node would create a second one without its networks: " \
          'start ovn-central there and converge again, or converge the only controller until now before this node; if these nodes are lost, delete them from the Chef server'
  else
    # with the data of a stand-alone database, if there is one
    source = [file, standalone].any? { |path| ::File.exist?(path) } ? standalone : "/usr/share/ovn/ovn-#{new_resource.database}.ovsschema"
    make("create a cluster of #{schema}", "--election-timer=#{new_resource.election_timer}", 'create-cluster', file, source, new_resource.address)
  end
end

action :join do
  next if whyrun_mode?

  status = wait_for_cluster
  # by their host: members of a cluster that was created without TLS keep their tcp: addresses
  hosts = new_resource.peers.map { |peer| host(peer) }
  others = status.servers.reject { |id, address| id == status.id || hosts.include?(host(address)) }
  others.each do |id, address|
    converge_by "remove #{id} at #{address}, which does not exist any more" do
      shell_out!('ovn-appctl', '-t', OpenstackNetwork::OvnCluster.control(new_resource.database), 'cluster/kick', schema, id)
    end
  end
end

action_class do
  def host(address)
    address[/\A\w+:(.+):\d+\z/, 1]
  end

  def schema
    OpenstackNetwork::OvnCluster::SCHEMAS.fetch(new_resource.database)
  end

  def file
    OpenstackNetwork::OvnCluster.file(new_resource.database)
  end

  def standalone
    "#{file}.standalone"
  end

  def make(what, *tool)
    converge_by what do
      shell_out!('systemctl', 'stop', "ovn-ovsdb-server-#{new_resource.database}")
      replace if ::File.exist?(file)
      shell_out!('ovsdb-tool', *tool)
    end
  end

  # A run that ended here has renamed it before. If ovn-central has started since, with an empty one, the data is still in the first.
  def replace
    return ::File.delete(file) if ::File.exist?(standalone) && !OpenstackNetwork::OvnCluster.networks?(new_resource.database)

    ::File.rename(file, standalone)
  end

  def wait_for_cluster
    complaint = "#{schema}: this node is in no cluster with a leader; see /var/log/ovn/ovsdb-server-#{new_resource.database}.log, " \
                "and `ovn-appctl -t #{OpenstackNetwork::OvnCluster.control(new_resource.database)} cluster/status #{schema}`"
    openstack_wait_until(complaint, pause: 0.5) do
      status = OpenstackNetwork::OvnCluster.status(new_resource.database)
      status if status&.working?
    end
  end
end
