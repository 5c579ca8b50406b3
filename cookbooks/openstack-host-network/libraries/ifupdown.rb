# frozen_string_literal: true

module OpenstackHostNetwork
  # Interfaces as stanzas of /etc/network/interfaces. ifupdown and ifupdown2 read them in the same way, and need no other
  # packages: `ip` makes the devices.
  module Ifupdown
    MAIN = '/etc/network/interfaces'
    OWN = '/etc/network/interfaces.d/01-host-network'
    SOURCE = "source /etc/network/interfaces.d/*\n"
    STANZA = /^(?:auto|allow-\S+|no-auto-down|no-scripts|iface|mapping|source|source-directory|rename|template|vlan)\b/

    module_function

    # @param interfaces [Hash] as the resource has them
    # @param host [Host]
    # @param replaced [Array<String>] interfaces that other files must not configure any more
    # @return [Hash{String => String}] path => content
    def files(interfaces, host, replaced)
      others = sources(host).transform_values { |text| without(text, replaced) }
      main = others.fetch(MAIN, '')
      others[MAIN] = "#{main}\n#{SOURCE}" unless main.match?(%r{^source(-directory)? /etc/network/interfaces\.d\b})
      stanzas = interfaces.map { |name, settings| stanza(name, settings) }
      { **others, OWN => "# Written by Chef: openstack_host_network\n#{stanzas.join}" }
    end

    # @return [Hash{String => String}] the other files that may configure interfaces: path => content
    def sources(host)
      [MAIN, *host.glob('/etc/network/interfaces.d/*')].uniq.to_h { |path| [path, host.read(path)] }.compact.except(OWN)
    end

    # @return [String] the text without what it says of these interfaces
    def without(text, names)
      gone = false
      lines = text.lines.filter_map do |line|
        words = line.split
        if line.match?(STANZA)
          gone = words.first == 'iface' && names.include?(words[1])
          if words.first == 'auto' || words.first.start_with?('allow-')
            kept = words.drop(1) - names
            next if kept.empty?
            next "#{[words.first, *kept].join(' ')}\n" if kept != words.drop(1)
          end
        end
        line unless gone && !words.empty? && !words.first.start_with?('#')
      end
      lines.join
    end

    def stanza(name, settings)
      blocks = [['manual', device(name, settings)]]
      Array(settings['addresses']).each do |address|
        blocks << ["static#{6 if address.include?(':')}", ["address #{address}"]]
      end
      blocks << ['dhcp', []] if settings['dhcp4']
      gateway = settings['gateway']
      routes(name, settings, gateway).each { |line| blocks.last[1] << line }
      text = blocks.map do |method, lines|
        family = method.end_with?('6') ? 'inet6' : 'inet'
        "iface #{name} #{family} #{method.delete_suffix('6')}\n#{lines.map { |line| "    #{line}\n" }.join}"
      end
      "\nauto #{name}\n#{text.join}"
    end

    def routes(name, settings, gateway)
      wanted = Array(settings['routes'])
      wanted = [{ 'to' => 'default', 'via' => gateway }, *wanted] if gateway
      wanted.map do |route|
        metric = " metric #{route['metric']}" if route['metric']
        family = '-6 ' if route['via'].include?(':')
        "up ip #{family}route replace #{route['to']} via #{route['via']} dev #{name}#{metric}"
      end
    end

    # @return [Array<String>] what makes the device, sets it up, and deletes it
    def device(name, settings)
      kind = settings['kind']
      lines = []
      lines << "pre-up ip link show dev #{name} >/dev/null 2>&1 || ip link add #{create(name, settings)}" unless kind == 'ethernet'
      Array(settings['interfaces']).each do |member|
        # a bond takes only interfaces that are down
        lines << "pre-up ip link set dev #{member} down" if kind == 'bond'
        lines << "pre-up ip link set dev #{member} master #{name}"
        lines << "pre-up ip link set dev #{member} up"
      end
      lines << "pre-up ip link set dev #{name} mtu #{settings['mtu']}" if settings['mtu']
      lines << "up ip link set dev #{name} up"
      lines << "post-down ip link delete dev #{name}" unless kind == 'ethernet'
      lines
    end

    def create(name, settings)
      case settings['kind']
      when 'bond'
        options = { 'mode' => settings['mode'] || 'active-backup', 'miimon' => 100, 'lacp_rate' => settings['lacp_rate'],
                    'xmit_hash_policy' => settings['transmit_hash_policy'] }
        "dev #{name} type bond #{options.compact.flatten.join(' ')}"
      when 'vlan'
        "link #{settings['link']} name #{name} type vlan id #{settings['id']}"
      else
        "dev #{name} type bridge"
      end
    end
  end
end
