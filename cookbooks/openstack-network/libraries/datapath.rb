# frozen_string_literal: true

require 'mixlib/shellout'

module OpenstackNetwork
  # Which datapath of Open vSwitch the node supports.
  module Datapath
    # Takes each tap up, once Open vSwitch has it
    TAP_RULE = <<~RULE
      # Written by Chef
      ACTION=="add", SUBSYSTEM=="net", KERNEL=="tap*", RUN+="/usr/bin/ovs-vsctl --timeout=10 wait-until Interface $name ofport!=[]", RUN+="/usr/sbin/ip link set dev $name up"
    RULE

    module_function

    # @return [String] `system` if the kernel has the openvswitch module, else `netdev`, which
    #   runs in user space and works everywhere
    def detect
      kernel_module? ? 'system' : 'netdev'
    end

    def kernel_module?
      return true if File.directory?('/sys/module/openvswitch')

      !Mixlib::ShellOut.new('modprobe', '--dry-run', '--quiet', 'openvswitch').run_command.error?
    rescue Errno::ENOENT # no modprobe: a container
      false
    end
  end
end
