# frozen_string_literal: true

module OpenstackCompute
  # Whether libvirt may raise the size limit of core files. By default it removes the limit for each instance. If it
  # may not, no instance starts ("cannot limit core file size of process …: Operation not permitted"). Containers that were
  # started through sudo have this problem: sudo sets the hard limit to 0.
  module CoreLimit
    CAP_SYS_RESOURCE = 24

    module_function

    # @return [Boolean] whether core files are forbidden on this node, also for root
    def forbidden?
      hard_limit(File.read('/proc/1/limits')) == '0' && !capable?(File.read('/proc/1/status'))
    end

    # @param qemu_conf [String] the content of libvirt's qemu.conf
    # @return [String] the same with `max_core = 0`, and other lines unchanged
    def forbid(qemu_conf)
      lines = qemu_conf.lines.grep_v(/\A\s*max_core\s*=/)
      "#{lines.join.chomp}\nmax_core = 0\n"
    end

    def hard_limit(limits)
      limits[/^Max core file size\s+\S+\s+(\S+)/, 1]
    end

    def capable?(status)
      status[/^CapEff:\s*(\h+)/, 1].hex[CAP_SYS_RESOURCE] == 1
    end
    private_class_method :hard_limit, :capable?
  end
end
