# frozen_string_literal: true

require 'json'
require 'mixlib/shellout'

module OpenstackCeph
  # The cluster of this node, asked as its administrator. Pools and users are listed once, and again after a change.
  class Cluster
    class Error < RuntimeError; end

    # @param seconds [Integer] within which the cluster must respond
    def initialize(seconds: 120)
      @seconds = seconds
    end

    # @return [Hash{String => Array<String>}] each pool and the applications that may use it
    def pools
      @pools ||= JSON.parse(ceph('osd', 'pool', 'ls', 'detail', '--format=json'))
                     .to_h { |pool| [pool['pool_name'], pool['application_metadata'].keys] }
    end

    # @return [Hash{String => Hash}] each user (client.cinder) with its `key` and `caps`
    def users
      @users ||= JSON.parse(ceph('auth', 'ls', '--format=json')).fetch('auth_dump').to_h { |user| [user['entity'], user] }
    end

    def create_pool(name)
      ceph('osd', 'pool', 'create', name)
      @pools = nil
    end

    # Prepares a pool for block devices; needs an OSD that is up.
    def init_pool(name)
      run('rbd', 'pool', 'init', name)
      @pools = nil
    end

    # Creates or replaces a user.
    #
    # @param keyring [String] its keyring file; passed on stdin, because it holds the key
    def import_user(keyring)
      ceph('auth', 'import', '--in-file=-', input: keyring)
      @users = nil
    end

    private

    def ceph(*arguments, input: nil)
      run('ceph', "--connect-timeout=#{@seconds}", *arguments, input: input)
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
  end
end

Chef::DSL::Universal.include(OpenstackCeph::Helpers) if defined?(Chef::DSL::Universal)
