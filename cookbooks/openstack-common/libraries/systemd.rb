# frozen_string_literal: true

require 'mixlib/shellout'
require 'time'

module OpenstackCommon
  # The state of a service, from systemd and the kernel.
  class Systemd
    PROPERTIES = %w(LoadState UnitFileState ActiveState Result ExecMainStatus InactiveExitTimestamp StateChangeTimestamp Job).freeze
    LISTEN = '0A'

    # @return [Systemd] a unit's present state
    def self.show(unit)
      show_all([unit]).fetch(unit)
    end

    # @return [Hash{String => Systemd}] the present states of units, at least one, from one command
    def self.show_all(units)
      ran = Mixlib::ShellOut.new(['systemctl', 'show', '--timestamp=us+utc', "--property=#{PROPERTIES.join(',')}", *units])
      ran.run_command.error!
      states = ran.stdout.split("\n\n").map { |block| new(block.lines(chomp: true).to_h { |line| line.split('=', 2) }) }
      units.zip(states).to_h
    end

    # @return [Array<Integer>] the TCP ports of this node on which something listens
    def self.listening
      %w(/proc/net/tcp /proc/net/tcp6).flat_map { |table| File.exist?(table) ? File.readlines(table).drop(1) : [] }
                                      .map(&:split)
                                      .filter_map { |columns| columns[1].split(':').last.hex if columns[3] == LISTEN }
                                      .uniq
    end

    def initialize(properties)
      @properties = properties
    end

    def known?
      @properties['LoadState'] != 'not-found'
    end

    # Units without an [Install] section can't be enabled and needn't be.
    def enabled?
      !%w(disabled masked).include?(@properties['UnitFileState'])
    end

    # A unit that is to be restarted is active until systemd begins with it; until then, and during it, it has a job.
    def active?
      @properties['ActiveState'] == 'active' && !job?
    end

    def job?
      !@properties['Job'].to_s.empty?
    end

    def running?
      %w(active activating reloading).include?(@properties['ActiveState'])
    end

    # @return [String] why it isn't active, in systemd's words
    def reason
      "#{@properties['ActiveState']}, #{@properties['Result']}, exit status #{@properties['ExecMainStatus']}#{', systemd has a job for it' if job?}"
    end

    # @param reload [Boolean] whether the unit also reads them when it is reloaded
    # @return [Boolean] whether one of the files was written after the unit last read it
    def older_than?(files, reload: false)
      read = Time.parse(@properties[reload ? 'StateChangeTimestamp' : 'InactiveExitTimestamp'].to_s)
      # checks a symbolic link as well as its target
      files.any? { |file| File.exist?(file) && [File.mtime(file), File.lstat(file).mtime].max > read }
    rescue ArgumentError # no timestamp: it never started
      false
    end
  end
end
