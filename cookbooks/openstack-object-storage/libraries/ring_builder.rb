# frozen_string_literal: true

require 'fileutils'
require 'mixlib/shellout'
require_relative 'ring'

module OpenstackObjectStorage
  # Changes a ring with swift-ring-builder. It works on copies in a directory of its own: an interrupted run leaves
  # the builder file and the ring as they were, and they always belong together.
  class RingBuilder
    # Above this imbalance, in percent, Swift's documentation tells to rebalance again.
    BALANCED = 5.0

    # Makes a ring of the builder file as it is.
    REWRITE = %w(write_ring).freeze

    # @param name [String] account, container or object
    # @param options [Hash] part_power, replicas, min_part_hours
    def initialize(directory, name, options)
      @name = name
      @builder = File.join(directory, "#{name}.builder")
      @file = File.join(directory, "#{name}.ring.gz")
      @work = File.join(directory, ".#{name}-new")
      @options = options
    end

    # @return [Ring, nil] the ring in use
    def ring
      Ring.read(@file)
    end

    # What differs from what is wanted, as commands of swift-ring-builder. Devices that the ring has and that are
    # not wanted stay in it: they may only be missing from a search. A device of the same node at another address
    # is the same device; its change comes alone, as Swift may refuse to rebalance the ring yet.
    #
    # @param devices [Array<Hash>] what is wanted: node, ip, port, device, weight, region, zone
    # @param removed [Array<String>] names of nodes whose devices are to be removed
    # @raise [RuntimeError] no device would be left
    # @return [Array<Array<String>>]
    def changes(ring, devices, removed)
      leaving, staying = (ring ? ring.devices : []).partition { |device| removed.include?(device['meta']) }
      known = staying.to_h { |device| [place(device), device] }
      wanted = devices.reject { |device| removed.include?(device['node']) }
      added, kept = wanted.partition { |device| !known.key?(place(device)) }
      moved = moves(known.except(*kept.map { |device| place(device) }).values, added)
      return [['set_info', *moved, '--yes'], REWRITE] if moved.any?

      changed = kept.reject { |device| known[place(device)]['weight'] == device['weight'] }
      weights = staying.to_h { |device| [place(device), device['weight']] }.merge(wanted.to_h { |device| [place(device), device['weight']] })
      replicas = replicas_for(weights.values)

      commands = []
      commands << ['add', *added.flat_map { |device| [described(device), device['weight'].to_s] }] if added.any?
      commands << ['set_weight', *changed.flat_map { |device| ["d#{known[place(device)]['id']}", device['weight'].to_s] }, '--yes'] if changed.any?
      commands << ['remove', *leaving.map { |device| "d#{device['id']}" }, '--yes'] if leaving.any?
      commands << ['set_replicas', replicas.to_s] unless replicas == (ring ? ring.replicas : @options[:replicas])
      commands
    end

    # Makes a changed and rebalanced ring, without putting it to use.
    #
    # @param copies [Array<Ring>] the ring as other nodes have it, from which a lost builder file is restored
    # @return [Ring, nil] nil if nothing has to be changed, or nothing can be yet: see {#refusal}
    def rebalanced(devices, removed, copies = [])
      @refusal = nil
      return if ring && changes(ring, devices, removed).empty? && ring.imbalance <= BALANCED

      FileUtils.rm_rf(@work)
      FileUtils.mkdir_p(@work, mode: 0o700)
      wanted = changes(prepare(copies), devices, removed)
      wanted.each { |command| run(*command) }
      output = run('rebalance', accept: [0, 1]) unless wanted.include?(REWRITE) # 1: with a warning, and perhaps without a new ring
      made = Ring.read(new('ring.gz'))
      return made if made && [made.version, made.devices] != [ring&.version, ring&.devices]

      @refusal = output.split.join(' ') if wanted.any?
      nil
    end

    # @return [String, nil] why the last {#rebalanced} could not change the ring, in Swift's words
    attr_reader :refusal

    # Puts the ring that {#rebalanced} made to use.
    def install
      # The builder comes first: without its ring it is used again by the next run, and nothing is lost.
      File.rename(new('builder'), @builder)
      File.rename(new('ring.gz'), @file)
      FileUtils.rm_rf(@work)
    end

    private

    def new(suffix)
      File.join(@work, "#{@name}.#{suffix}")
    end

    # Copies or restores the builder, or creates one.
    #
    # @return [Ring, nil] the ring that belongs to it
    def prepare(copies)
      newest = [*copies, ring].compact.max_by(&:version)
      if File.exist?(@builder)
        FileUtils.cp(@builder, new('builder'))
        run('write_ring')
      elsif newest
        File.binwrite(new('ring.gz'), newest.bytes)
        run('write_builder', @options[:min_part_hours].to_s, of: 'ring.gz')
      else
        run('create', *@options.values_at(:part_power, :replicas, :min_part_hours).map(&:to_s))
      end
      Ring.read(new('ring.gz'))
    end

    def run(*command, of: 'builder', accept: [0])
      ran = Mixlib::ShellOut.new('swift-ring-builder', new(of), *command, cwd: @work, timeout: 600, environment: { 'LC_ALL' => 'C.UTF-8' })
      ran.run_command
      return ran.stdout if accept.include?(ran.exitstatus)

      raise "swift-ring-builder #{@name} #{command.first}: exit status #{ran.exitstatus}: #{[ran.stdout, ran.stderr].join(' ').split.join(' ')}"
    end

    # Swift can't put two replicas on one device.
    def replicas_for(weights)
      usable = weights.count(&:positive?)
      raise "the ring #{@name} would have no device; put role[object-storage] on a node" if usable.zero?

      [@options[:replicas], usable].min
    end

    # @return [Array<String>] for set_info, which changes the address for replication only if it is named
    def moves(old, new)
      ids = old.to_h { |device| [device.values_at('meta', 'port', 'device'), device['id']] }
      new.flat_map do |device|
        id = ids[device.values_at('node', 'port', 'device')]
        id ? ["d#{id}", "#{server(device)}R#{server(device)}"] : []
      end
    end

    def place(device)
      device.values_at('ip', 'port', 'device')
    end

    def described(device)
      "r#{device['region']}z#{device['zone']}-#{server(device)}/#{device['device']}_#{device['node']}"
    end

    def server(device)
      ip = device['ip'].include?(':') ? "[#{device['ip']}]" : device['ip']
      "#{ip}:#{device['port']}"
    end
  end
end
