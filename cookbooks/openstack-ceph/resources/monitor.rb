# frozen_string_literal: true

provides :openstack_ceph_monitor
unified_mode true

description 'Creates the monitor of this node: the first one of a new cluster, or one that joins the living cluster.'

property :id, String, name_property: true
property :addresses, String, required: true, description: 'Where it listens, such as [v2:192.0.2.10:3300,v1:192.0.2.10:6789]'
property :fsid, String, description: 'The ID of the cluster, for a new one'
property :keyrings, Array, default: [], description: 'The files with the keys of mon. and client.admin, the same ones on all nodes'
property :peers, Array, default: [], description: 'The other nodes of the cluster, as {OpenstackCommon::Members::Member}'
property :known, Array, default: [], description: 'The names of those that have been in the cluster before: it must not be created again'
property :creates, [true, false], default: true, description: 'Whether this node creates the cluster if there is none'
property :patience, Integer, default: 600, description: 'Seconds to wait for a cluster to join: its first node may be installing packages still'

action :create do
  next if ::Dir.exist?(data)

  converge_by "create the monitor #{new_resource.id}" do
    ::FileUtils.rm_rf(["#{data}.new", keys])
    cluster = living_cluster
    cluster ? cluster.save_monitors(map) : new_map
    shell_out!('ceph-authtool', '--create-keyring', keys)
    new_resource.keyrings.each { |file| shell_out!('ceph-authtool', keys, '--import-keyring', file) }
    shell_out!('ceph-mon', '--mkfs', '--id', new_resource.id, '--mon-data', "#{data}.new", '--monmap', map, '--keyring', keys, umask: 0o077)
    ::FileUtils.rm([map, keys])
    ::FileUtils.chown_R('ceph', 'ceph', "#{data}.new")
    ::File.rename("#{data}.new", data)
  end
end

# Once it runs.
action :join do
  wait_for_quorum
  next if addresses_in_cluster == new_resource.addresses

  converge_by "let the monitor #{new_resource.id} listen at #{new_resource.addresses}" do
    openstack_ceph_cluster.move_monitor(new_resource.id, new_resource.addresses)
    wait_for_quorum
  end
end

action_class do
  def data
    "/var/lib/ceph/mon/ceph-#{new_resource.id}"
  end

  def map
    "#{data}.map"
  end

  def keys
    "#{data}.keyring"
  end

  def new_map
    shell_out!('monmaptool', '--create', '--clobber', '--fsid', new_resource.fsid, '--addv', new_resource.id, new_resource.addresses, map)
  end

  # @return [OpenstackCeph::Cluster, nil] the cluster that this monitor is to join; nil if this node is to create it
  def living_cluster
    return if new_resource.peers.empty?

    deadline = now + new_resource.patience
    loop do
      there = new_resource.peers.select { |peer| OpenstackCommon::Members.reachable?(peer.address, 3300) }
      cluster, why = asked(there)
      return cluster if cluster
      return if there.empty? && new_resource.creates && new_resource.known.empty?

      raise "openstack-ceph: #{why || none_reachable}" if now > deadline

      sleep 2
    end
  end

  # @return [Array(OpenstackCeph::Cluster, String)] a cluster that responds, or why none does
  def asked(peers)
    return if peers.empty?

    cluster = OpenstackCeph::Cluster.new(seconds: 20, monitors: peers.map { |peer| "[v2:#{peer.address}:3300]" })
    cluster.in_quorum?(new_resource.id)
    [cluster, nil]
  rescue OpenstackCeph::Cluster::Error => e
    [nil, "the monitors of #{peers.map(&:name).join(' and ')} do not let this node join (#{e.message}). If most monitors are down, start them. " \
          'If that cluster was made by an older stackcook, with keys of its own, converge its node first']
  end

  def none_reachable
    if new_resource.known.any?
      "#{new_resource.known.join(' and ')} #{new_resource.known.one? ? 'has' : 'have'} been in the Ceph cluster, but cannot be reached at port 3300. Start what is left of it; " \
        'if all of its data is lost, delete these nodes from the Chef server, and deploy again to create a new one'
    else
      "no Ceph cluster to join at #{new_resource.peers.map { |peer| "#{peer.name} (#{peer.address}:3300)" }.join(', ')}; " \
        "converge #{new_resource.peers.first.name} first, which creates it"
    end
  end

  def addresses_in_cluster
    found = openstack_ceph_cluster.monitors.fetch(new_resource.id)['public_addrs']['addrvec']
    "[#{found.map { |each| "#{each['type']}:#{each['addr']}" }.join(',')}]"
  end

  def wait_for_quorum
    complaint = "the Ceph monitor #{new_resource.id} takes no part in the cluster; see /var/log/ceph/ceph-mon.#{new_resource.id}.log"
    openstack_wait_until(complaint) { whyrun_mode? || openstack_ceph_cluster.in_quorum?(new_resource.id) }
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
