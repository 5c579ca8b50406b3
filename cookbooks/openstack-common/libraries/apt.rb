# frozen_string_literal: true

require 'mixlib/shellout'

module OpenstackCommon
  # One apt transaction: without recommended packages, without starting what isn't configured yet,
  # and without waiting for the disk at each file.
  module Apt
    POLICY = '/usr/sbin/policy-rc.d'
    # The marker tells our own file, left behind by a killed run, from the user's.
    REFUSAL = "#!/bin/sh\n# openstack_packages: nothing starts before it is configured\nexit 101\n"
    OPTIONS = %w(-q -y --no-install-recommends -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300
                 -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-unsafe-io -o Dpkg::Use-Pty=0).freeze
    ENVIRONMENT = { 'DEBIAN_FRONTEND' => 'noninteractive', 'NEEDRESTART_MODE' => 'l', 'LC_ALL' => 'C.UTF-8' }.freeze

    module_function

    # @return [Array<String>] those of the packages that aren't installed
    def missing(packages)
      known = run('dpkg-query', '--show', '--showformat', '${Package} ${db:Status-Abbrev}\n', *packages)
      packages - known.stdout.scan(/^(\S+) [ih]i/).flatten
    end

    # @raise [Mixlib::ShellOut::ShellCommandFailed] with what apt said
    def install(packages)
      run('apt-get', '-q', '-o', 'Acquire::Retries=3', 'update').error!
      without_starting_services do
        with_eatmydata do |prefix|
          # what a killed run left half done
          run(*prefix, 'dpkg', '--force-confold', '--configure', '--pending').error!
          run(*prefix, 'apt-get', *OPTIONS, 'install', *packages).error!
        end
      end
    end

    def without_starting_services
      found = File.read(POLICY) if File.exist?(POLICY)
      mode = File.stat(POLICY).mode if found
      write_policy(REFUSAL, 0o755)
      yield
    ensure
      found && found != REFUSAL ? write_policy(found, mode) : FileUtils.rm_f(POLICY)
    end

    # eatmydata is brought and taken away again where it isn't; what was written is on disk afterwards.
    def with_eatmydata
      brought = missing(%w(eatmydata libeatmydata1))
      run('apt-get', *OPTIONS, 'install', 'eatmydata').error! if brought.any?
      yield ['eatmydata']
      run('sync', '--file-system', '/var/lib/dpkg').error!
    ensure
      run('apt-get', *OPTIONS, 'purge', *brought).error! if brought&.any? && missing(brought).empty?
    end

    def run(*argv)
      Mixlib::ShellOut.new(argv, environment: ENVIRONMENT, timeout: 1800).run_command
    end

    def write_policy(text, mode)
      File.write(POLICY, text)
      File.chmod(mode, POLICY)
    end
    private_class_method :without_starting_services, :with_eatmydata, :run, :write_policy
  end
end
