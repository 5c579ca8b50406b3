# frozen_string_literal: true

require 'fileutils'
require 'mixlib/shellout'

module OpenstackCommon
  # What Chef's apt_package can't do: check many packages with one command (it runs apt-cache once for
  # each), and prevent dpkg from starting services before they are configured.
  module Apt
    # Debian's maintainer scripts run this program before they start a service; exit status 101 forbids it.
    POLICY = '/usr/sbin/policy-rc.d'
    # The administrator's own policy, if there is one, is saved here during an installation.
    SAVED = "#{POLICY}.saved-by-chef".freeze
    MARKER = '# openstack_packages: nothing starts before it is configured'
    # D-Bus may reload its configuration: it runs already, and denies polkit its bus name until it knows the user that polkit's
    # package has just created. Without polkit, libvirt rejects all clients.
    DENY_STARTS = <<~SHELL.freeze
      #!/bin/sh
      #{MARKER}
      case " $* " in *" dbus reload "*) exit 0 ;; esac
      exit 101
    SHELL

    module_function

    # @return [Array<String>] the packages that aren't installed
    def missing(packages)
      query = ['dpkg-query', '--show', '--showformat', '${Package} ${db:Status-Abbrev}\n', *packages]
      known = Mixlib::ShellOut.new(query, environment: { 'LC_ALL' => 'C.UTF-8' }).run_command
      packages - known.stdout.scan(/^(\S+) [ih]i/).flatten
    end

    # Runs the block while no maintainer script may start a service.
    def without_starting_services
      restore_policy
      File.rename(POLICY, SAVED) if present?(POLICY)
      write_policy
      yield
    ensure
      restore_policy
    end

    # @return [Boolean] whether a killed run left its policy, or the saved one, behind
    def policy_left_behind?
      present?(SAVED) || ours?
    end

    # Puts the administrator's policy back, or removes ours if there was none. Changes nothing else.
    def restore_policy
      if present?(POLICY) && !ours?
        # An administrator has written a new policy meanwhile: keep it, and delete the saved one.
        FileUtils.rm_f(SAVED)
      elsif present?(SAVED)
        File.rename(SAVED, POLICY)
      else
        FileUtils.rm_f(POLICY)
      end
    end

    # Writes a new file and renames it, so that a power failure cannot leave an incomplete one.
    def write_policy
      File.open("#{POLICY}.new", 'w', 0o755) do |file|
        file.chmod(0o755)
        file.write(DENY_STARTS)
        file.fsync
      end
      File.rename("#{POLICY}.new", POLICY)
    end

    def ours?
      File.file?(POLICY) && File.read(POLICY).include?(MARKER)
    end

    # A policy may be a symbolic link (update-alternatives), even a broken one.
    def present?(path)
      File.exist?(path) || File.symlink?(path)
    end
    private_class_method :write_policy, :ours?, :present?
  end
end
