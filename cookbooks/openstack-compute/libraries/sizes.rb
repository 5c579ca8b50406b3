# frozen_string_literal: true

require 'etc'

module OpenstackCompute
  # How much memory and how many CPUs of a node Nova must not offer to instances.
  module Sizes
    # MiB for the operating system, libvirt, Open vSwitch and the agents
    COMPUTE = 1024
    # MiB for the services of a controller
    CONTROLLER = 4096
    MEBI = 1024 * 1024

    module_function

    # @param controller [Boolean] whether the node is a controller too
    # @return [Integer] Nova's reserved_host_memory_mb. At least a quarter of the node's memory remains for instances
    def reserved_memory(controller:)
      [COMPUTE + (controller ? CONTROLLER : 0), memory * 3 / 4].min + excess_memory
    end

    # @return [Integer] Nova's reserved_host_cpus: CPUs that libvirt sees and this node may not use
    def reserved_cpus
      [online_cpus - Etc.nprocessors, 0].max
    end

    # @return [Integer] MiB of memory that this node may use: /proc/meminfo, in a container with lxcfs too, or the limit of its cgroup
    def memory
      total = File.read('/proc/meminfo')[/^MemTotal:\s+(\d+) kB/, 1].to_i / 1024
      [total, *cgroup_limits].min
    end

    # @return [Integer] MiB of memory that libvirt sees and this node may not use. libvirt adds up the NUMA nodes, in a container
    #   those of its host, unless whoever made the container has replaced these files
    def excess_memory
      seen = Dir['/sys/devices/system/node/node*/meminfo'].sum { |path| File.read(path)[/MemTotal:\s+(\d+) kB/, 1].to_i } / 1024
      seen > memory * 1.05 ? seen - memory : 0
    end

    # @return [Array<Integer>] MiB; the limits of the node's uppermost cgroup (version 1, or 2), if it has any
    def cgroup_limits
      %w(/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max)
        .select { |path| File.exist?(path) }
        .filter_map { |path| Integer(File.read(path), exception: false) }
        .map { |bytes| bytes / MEBI }
    end

    def online_cpus
      File.read('/sys/devices/system/cpu/online').strip.split(',').sum do |range|
        first, last = range.split('-').map(&:to_i)
        (last || first) - first + 1
      end
    end
    private_class_method :excess_memory, :cgroup_limits, :online_cpus
  end
end
