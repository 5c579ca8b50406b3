# frozen_string_literal: true

require 'json'
require 'mixlib/shellout'

module OpenstackCeph
  # The cluster, asked as its administrator. What changes only by a command of its own is listed once, and again after that.
  class Cluster
    class Error < RuntimeError; end

    # @param seconds [Integer] within which the cluster must respond
    # @param monitors [Array<String>] addresses of monitors to ask; those of ceph.conf if there are none
    def initialize(seconds: 120, monitors: [])
      @seconds = seconds
      @monitors = monitors
    end

    # @return [Hash{String => Array<String>}] each pool and the applications that may use it
    def pools
      listed_pools.transform_values { |pool| pool['application_metadata'].keys }
    end

    # @return [Hash{String => Hash}] each user (client.cinder) with its `key` and `caps`
    def users
      @users ||= json('auth', 'ls').fetch('auth_dump').to_h { |user| [user['entity'], user] }
    end

    # @param size [Integer] how often data is stored
    def create_pool(name, size)
      ceph('osd', 'pool', 'create', name, "--size=#{size}")
      @listed_pools = nil
    end

    # Prepares a pool for block devices; needs an OSD that is up.
    def init_pool(name)
      run('rbd', 'pool', 'init', name)
      @listed_pools = nil
    end

    # Creates or replaces a user.
    #
    # @param keyring [String] its keyring file; passed on stdin, because it holds the key
    def import_user(keyring)
      ceph('auth', 'import', '--in-file=-', input: keyring)
      @users = nil
    end

    # @return [Hash{String => Hash}] the monitors: their `public_addrs` and others, by name
    def monitors
      json('mon', 'dump').fetch('mons').to_h { |monitor| [monitor['name'], monitor] }
    end

    # @return [Boolean] whether a monitor takes part in the cluster's decisions
    def in_quorum?(monitor)
      json('quorum_status').fetch('quorum_names').include?(monitor)
    end

    # Writes the map of monitors to a file. A new monitor that has the name and the address of one that was lost takes its place.
    def save_monitors(file)
      ceph('mon', 'getmap', "--out-file=#{file}")
    end

    # @param addresses [String] such as [v2:192.0.2.10:3300]
    def move_monitor(name, addresses)
      ceph('mon', 'set-addrs', name, addresses)
    end

    # @return [Hash{String => Array<Integer>}] each host with an OSD, and its OSDs
    def hosts
      @hosts ||= json('osd', 'tree').fetch('nodes').select { |each| each['type'] == 'host' && each['children'].any? }
                                    .to_h { |host| [host['name'], host['children'].sort] }
    end

    # @return [Boolean] whether an OSD serves data
    def osd_up?(id)
      json('osd', 'dump').fetch('osds').any? { |osd| osd['osd'] == id && osd['up'] == 1 }
    end

    # Prepares an OSD whose data is lost for a new one with its ID and its place.
    def destroy_osd(id)
      ceph('osd', 'down', id.to_s)
      ceph('osd', 'destroy', id.to_s, '--yes-i-really-mean-it')
    end

    # @param uuid [String] of the new OSD; the same one gets the same ID again
    # @param secret [String] its key; passed on stdin
    # @param id [Integer, nil] of the OSD that it replaces
    # @return [Integer] its ID
    def new_osd(uuid, secret, id = nil)
      @hosts = nil
      Integer(ceph('osd', 'new', uuid, *id&.to_s, '--in-file=-', input: JSON.generate('cephx_secret' => secret)))
    end

    # @return [Hash{String => Integer}] how often each pool stores its data
    def sizes
      listed_pools.transform_values { |pool| pool['size'] }
    end

    # Half of the copies, rounded up, must be there for a write.
    def resize_pool(name, size)
      ceph('osd', 'pool', 'set', name, 'size', size.to_s)
      ceph('osd', 'pool', 'set', name, 'min_size', (size - size / 2).to_s)
      @listed_pools = nil
    end

    # @return [Boolean] whether the copies of a pool's data are on different hosts
    def by_host?(name)
      @rules ||= json('osd', 'crush', 'rule', 'dump')
      rule = @rules.find { |each| each['rule_id'] == listed_pools[name]['crush_rule'] }
      rule['steps'].none? { |step| step['type'] == 'osd' }
    end

    # Puts the copies of a pool's data on different hosts.
    def place_by_host(name)
      ceph('osd', 'crush', 'rule', 'create-replicated', 'by_host', 'default', 'host')
      ceph('osd', 'pool', 'set', name, 'crush_rule', 'by_host')
      @listed_pools = @rules = nil
    end

    private

    def listed_pools
      @listed_pools ||= json('osd', 'pool', 'ls', 'detail').to_h { |pool| [pool['pool_name'], pool] }
    end

    def json(*arguments)
      JSON.parse(ceph(*arguments, '--format=json'))
    end

    def ceph(*arguments, input: nil)
      ask = ["--mon-host=#{@monitors.join(',')}"] if @monitors.any?
      run('ceph', "--connect-timeout=#{@seconds}", *ask, *arguments, input: input)
    end

    def run(*argv, input: nil)
      ran = Mixlib::ShellOut.new(argv, input: input, timeout: @seconds, environment: { 'LC_ALL' => 'C.UTF-8' }).run_command
      raise Error, "`#{argv.join(' ')}` failed: #{ran.stderr.strip}" if ran.error?

      ran.stdout
    rescue Mixlib::ShellOut::CommandTimeout
      raise Error, "`#{argv.join(' ')}` got no response within #{@seconds} s; see /var/log/ceph/"
    end
  end

  # For this cookbook's resources.
  module Helpers
    # @return [OpenstackCeph::Cluster] the same one for the whole run
    def openstack_ceph_cluster
      node.run_state[:openstack_ceph_cluster] ||= OpenstackCeph::Cluster.new(seconds: node['openstack']['start_timeout'])
    end

    # @return [Array<String>] the other nodes of the cluster that have said at the end of a run that they run a monitor
    def openstack_ceph_known
      names = openstack_ceph_members.map(&:name) - [node.name]
      openstack_nodes(OpenstackCommon::Ceph::RECIPE, all: true).select do |found|
        names.include?(found.name) && found.dig('openstack', 'services').to_h.keys.any? { |unit| unit.start_with?('ceph-mon@') }
      end.map(&:name)
    end
  end
end

Chef::DSL::Universal.include(OpenstackCeph::Helpers) if defined?(Chef::DSL::Universal)
