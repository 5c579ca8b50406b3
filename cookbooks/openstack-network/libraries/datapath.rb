# frozen_string_literal: true

require 'mixlib/shellout'

module OpenstackNetwork
  # Which of Open vSwitch's datapaths a node can run.
  module Datapath
    module_function

    # @return [String] `system` where the kernel has the openvswitch module, else `netdev`, which
    #   switches in user space and runs anywhere
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
