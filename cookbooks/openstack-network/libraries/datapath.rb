# frozen_string_literal: true

require 'mixlib/shellout'

module OpenstackNetwork
  # Which datapath of Open vSwitch the node supports.
  module Datapath
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
