# frozen_string_literal: true

require 'securerandom'

provides :openstack_ceph_osd
unified_mode true

description 'Creates the OSD of this node, and waits until it serves data. If the cluster knows one of this host whose data is lost, the new one takes its place.'

property :host, String, name_property: true, description: 'The name of the host in the cluster'
property :config, [String, Array], default: [], description: 'As of openstack_service'

action :start do
  create unless local

  id = local
  openstack_service "ceph-osd@#{id}" do
    internal_ports ['6800-7300']
    log "/var/log/ceph/ceph-osd.#{id}.log"
    config new_resource.config
  end

  openstack_wait_until("the Ceph OSD #{id} does not serve data; see /var/log/ceph/ceph-osd.#{id}.log") { whyrun_mode? || openstack_ceph_cluster.osd_up?(id) }
end

action_class do
  # @return [Integer, nil] the ID of this node's OSD
  def local
    ::Dir['/var/lib/ceph/osd/ceph-*/whoami'].filter_map { |file| file[%r{/ceph-(\d+)/whoami\z}, 1]&.to_i }.min
  end

  # The UUID and the key are kept for the next try, which gets the same ID: the monitors remember them.
  def create
    converge_by 'create the OSD' do
      made = '/var/lib/ceph/osd/new'
      ::FileUtils.mkdir_p(made, mode: 0o700)
      uuid = kept("#{made}/uuid") { SecureRandom.uuid }
      key = kept("#{made}/key") { OpenstackCommon::Ceph.key(SecureRandom.hex) }
      id = registered(uuid, key)
      ::File.write("#{made}/keyring", OpenstackCommon::Ceph.keyring("osd.#{id}", key), perm: 0o600)
      shell_out!('ceph-osd', '--mkfs', '--id', id.to_s, '--osd-data', made, '--osd-uuid', uuid, umask: 0o077)
      ::FileUtils.chown_R('ceph', 'ceph', made)
      ::File.rename(made, finished = "/var/lib/ceph/osd/ceph-#{id}")
      ::FileUtils.rm(["#{finished}/uuid", "#{finished}/key"])
    end
  end

  def registered(uuid, key)
    lost = openstack_ceph_cluster.hosts[new_resource.host]&.first
    openstack_ceph_cluster.destroy_osd(lost) if lost
    openstack_ceph_cluster.new_osd(uuid, key, lost)
  end

  def kept(file)
    ::File.write(file, yield, perm: 0o600) unless ::File.size?(file)
    ::File.read(file)
  end
end
