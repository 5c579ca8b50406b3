# frozen_string_literal: true

module OpenstackHostNetwork
  # From the host as it is to the interfaces that are wanted: which files change, and what the script that switches needs.
  class Change
    STATE = '/var/lib/openstack-host-network'
    UNDERWAY = %w(switching trying).freeze

    # @param interfaces [Hash] as the resource has them
    # @param host [Host]
    def initialize(interfaces, host)
      @interfaces = interfaces
      @host = host
    end

    # @return [Boolean] whether there is nothing to set up, and never was
    def empty?
      @interfaces.empty? && before.empty?
    end

    # @return [Array<String>] the interfaces, each after those that it is made of
    def names
      @interfaces.keys
    end

    # @return [String] networkd or ifupdown
    def manager
      @manager ||= @host.manager([*names, *renames.keys])
    end

    # @return [Boolean] whether the host has other files, or lacks an interface
    def change?
      changed.any? || !renames.empty? || names.any? { |name| !@host.interface?(name) }
    end

    # @return [Boolean] whether an earlier change is neither confirmed nor undone
    def underway?
      UNDERWAY.include?(@host.read("#{STATE}/state").to_s.split.first)
    end

    # @return [Boolean] whether the host has gone back from an earlier change
    def undone?
      @host.read("#{STATE}/state").to_s.start_with?('reverted')
    end

    # @return [Hash{String => String}] what the script reads: path => content
    def staged
      kept = files.compact.transform_keys { |path| "files#{path}" }
      {
        **kept,
        'manager' => "#{manager}\n",
        'paths' => lines(files.keys),
        'names' => lines(names),
        'before' => lines([*renames.keys, *names, *before].uniq),
        'renames' => lines(renames.map { |old, new| "#{@interfaces[new]['mac'].downcase} #{old} #{new}" }),
        'addresses' => lines(addresses),
        'client' => "#{client}\n",
      }
    end

    # @return [Hash{String => String}] the cards whose names change: old name => new name
    # @raise [RuntimeError] the host lacks a card, or nothing would keep its name
    def renames
      @renames ||= @interfaces.each_with_object({}) do |(name, settings), found|
        next unless settings['mac']

        now = @host.card(settings['mac'])
        raise "openstack_host_network: no network card has the MAC address #{settings['mac']} (#{name}); compare it with `ip link`" unless now
        next if now == name
        raise "openstack_host_network: #{now} cannot be called #{name}: udev does not run here; use the name #{now}" unless @host.udev?

        found[now] = name
      end
    end

    # @param command [String] the script
    # @return [Hash{String => String}] units of systemd: name => content
    def units(command)
      about = 'network configuration of openstack_host_network'
      {
        # exec: a start does not wait for its end. KillMode: a DHCP client that ifup has started is to stay.
        'openstack-host-network.service' => <<~UNIT,
          [Unit]
          Description=Switch to the new #{about}

          [Service]
          Type=exec
          ExecStart=#{command} switch
          KillMode=process
        UNIT
        'openstack-host-network-revert.service' => <<~UNIT,
          [Unit]
          Description=Go back to the old #{about}

          [Service]
          Type=oneshot
          ExecStart=#{command} revert
          KillMode=process
        UNIT
        # enabled while a change waits: it starts anew, and ends as well, if the host restarts meanwhile
        'openstack-host-network-revert.timer' => <<~UNIT,
          [Unit]
          Description=Wait for the confirmation of the new #{about}

          [Timer]
          OnActiveSec=60
          AccuracySec=1

          [Install]
          WantedBy=timers.target
        UNIT
      }
    end

    private

    def lines(texts)
      texts.map { |text| "#{text}\n" }.join
    end

    # The process whose end is the end of Chef's run: it may have started this one, and reports its end.
    def client
      parent = Process.ppid
      @host.read("/proc/#{parent}/cmdline").to_s.include?('chef-client') ? parent : Process.pid
    end

    # The interfaces of the description that is in force.
    def before
      @host.read("#{STATE}/names").to_s.split
    end

    # path => content, nil for a file of an earlier description.
    def files
      @files ||= begin
        old = @host.glob("#{Networkd::PREFIX}*") + @host.glob(Ifupdown::OWN)
        { **old.to_h { |path| [path, nil] }, **links, **configuration }
      end
    end

    def configuration
      return Networkd.files(@interfaces) if manager == 'networkd'

      Ifupdown.files(@interfaces, @host, [*names, *renames.keys])
    end

    def links
      return {} unless @host.udev?

      @interfaces.each_with_object({}) do |(name, settings), found|
        path = "#{Networkd::PREFIX}#{name}.link"
        found[path] = Networkd.link(name, settings['mac']) if settings['mac']
        found[path] = Networkd.link_of_members(name) if %w(bond bridge).include?(settings['kind'])
      end
    end

    def changed
      files.reject { |path, content| @host.read(path) == content }
    end

    def addresses
      @interfaces.flat_map do |name, settings|
        given = Array(settings['addresses'])
        given.empty? ? [name] : given.map { |address| "#{name} #{address}" }
      end
    end
  end
end
