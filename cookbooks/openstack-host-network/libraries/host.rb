# frozen_string_literal: true

require 'mixlib/shellout'

module OpenstackHostNetwork
  # The host as it is: its network cards, and what configures them.
  class Host
    # @param root [String] where its files are
    def initialize(root = '/')
      @root = root
    end

    # @return [String, nil] the content of a file
    def read(path)
      file = File.join(@root, path)
      File.read(file) if File.file?(file)
    end

    # @return [Boolean] whether the host has an interface of this name
    def interface?(name)
      File.exist?(File.join(@root, 'sys/class/net', name))
    end

    # @return [Boolean] whether udev names the network cards; in containers it does not run
    def udev?
      File.exist?(File.join(@root, 'run/udev/control'))
    end

    # @param mac [String] the MAC address of a network card
    # @return [String, nil] its name; a card in a bond has another address meanwhile
    def card(mac)
      cards.key(mac.downcase)
    end

    # @return [Hash{String => String}] the MAC address of each network card, by its name
    def cards
      names = glob('/sys/class/net/*').map { |path| File.basename(path) }.select { |name| card?(name) }
      names.to_h do |name|
        mac = read("/sys/class/net/#{name}/bonding_slave/perm_hwaddr") || read("/sys/class/net/#{name}/address")
        [name, mac.strip]
      end
    end

    # @param names [Array<String>] interfaces
    # @return [String] what configures them: `networkd` or `ifupdown`
    # @raise [RuntimeError] it is neither
    def manager(names)
      return 'ifupdown' if read(Ifupdown::OWN) || Ifupdown.sources(self).any? { |_, text| Ifupdown.without(text, names) != text }
      return 'networkd' if active?('systemd-networkd')
      return 'ifupdown' if File.executable?(File.join(@root, 'sbin/ifup'))

      raise 'openstack_host_network: neither systemd-networkd nor ifupdown configures this host; enable one of them'
    end

    # @return [Array<String>] the paths that match a pattern, without the root
    def glob(pattern)
      Dir[File.join(@root, pattern)].sort.map { |file| "/#{file.delete_prefix(@root).delete_prefix('/')}" }
    end

    private

    # What has no device below is made by the kernel: bridges, bonds. A card of a container has none either.
    def card?(name)
      base = File.join(@root, 'sys/class/net', name)
      return true if File.exist?(File.join(base, 'device'))

      !udev? && %w(bridge bonding).none? { |kind| File.exist?(File.join(base, kind)) } && name != 'lo'
    end

    def active?(unit)
      !Mixlib::ShellOut.new('systemctl', 'is-active', '--quiet', unit).run_command.error?
    end
  end
end
