# frozen_string_literal: true

module OpenstackCompute
  # Files that replace /sys/devices/system/node for libvirt in a container.
  #
  # libvirt adds up the memory of the host's NUMA nodes there, and no container file system (lxcfs) changes
  # them: Nova would offer the whole host's memory. The files describe one NUMA node with the container's memory and CPUs.
  module Numa
    module_function

    # @param mebibytes [Integer] the memory
    # @param cpus [Array<Integer>] the numbers of the CPUs
    # @return [Hash{String => String}] {path => content}
    def files(mebibytes, cpus)
      lists = %w(online possible has_cpu has_memory has_normal_memory).to_h { |name| [name, "0\n"] }
      kibibytes = mebibytes * 1024
      lists.merge(
        'node0/meminfo' => "Node 0 MemTotal: #{kibibytes} kB\nNode 0 MemFree: #{kibibytes} kB\n",
        'node0/distance' => "10\n",
        'node0/cpulist' => "#{cpus.join(',')}\n",
        'node0/cpumap' => "#{mask(cpus)}\n"
      )
    end

    # @return [Array<Integer>] the CPUs that this process may use
    def cpus
      File.read('/proc/self/status')[/^Cpus_allowed_list:\s*(\S+)/, 1].split(',').flat_map do |range|
        first, last = range.split('-').map(&:to_i)
        (first..(last || first)).to_a
      end
    end

    # The kernel's notation: groups of 32 bits, in hexadecimal digits, separated by commas.
    def mask(cpus)
      format('%x', cpus.sum { |cpu| 1 << cpu }).reverse.scan(/.{1,8}/).join(',').reverse
    end
    private_class_method :mask
  end
end
