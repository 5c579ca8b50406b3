# frozen_string_literal: true

require 'ipaddr'
require 'json'
require 'mixlib/shellout'

module OpenstackCommon
  # A table of nftables that lets only some addresses connect to some ports. It filters nothing but the packets that open a
  # TCP connection, so it needs no connection tracking, and it rejects only: what other tables reject stays rejected.
  module Firewall
    TABLE = 'openstack'
    FILE = '/etc/openstack-firewall.nft'
    UNIT = 'openstack-firewall'

    module_function

    # @param sources [Array<String>] addresses and networks, such as 10.0.0.0/24
    # @return [Array<String>] the same in nft's notation, sorted; without those that another one contains, which nft refuses
    # @raise [RuntimeError] one is neither
    def sources(sources)
      parsed = sources.map { |text| parse(text) }.uniq
      kept = parsed.reject { |one| parsed.any? { |other| !one.equal?(other) && other.family == one.family && other.include?(one) } }
      kept.map { |one| show(one) }.sort
    end

    # @param ports [Array<Integer, String>] ports, and ranges such as '5900-6079'
    # @param sources [Array<String>] as {sources} returns them
    # @return [String] the program for `nft --file`, which replaces the table in one transaction
    def render(ports, sources)
      six, four = sources.partition { |source| source.include?(':') }
      <<~NFT
        # Written by Chef (openstack-common): only the nodes of the cloud may connect to its internal services.
        table inet #{TABLE}
        delete table inet #{TABLE}
        table inet #{TABLE} {
          set ports {
            type inet_service; flags interval
            #{elements(ports)}
          }
          set nodes4 {
            type ipv4_addr; flags interval
            #{elements(four)}
          }
          set nodes6 {
            type ipv6_addr; flags interval
            #{elements(six)}
          }
          chain input {
            type filter hook input priority filter; policy accept;
            iif != "lo" tcp dport @ports tcp flags & (fin | syn | rst | ack) == syn jump internal
          }
          chain internal {
            ip saddr @nodes4 accept
            ip6 saddr @nodes6 accept
            reject with icmpx admin-prohibited
          }
        }
      NFT
    end

    # @return [Boolean] whether the kernel has the table with just these ports and sources
    def loaded?(ports, sources)
      ran = Mixlib::ShellOut.new(['nft', '--json', 'list', 'table', 'inet', TABLE]).run_command
      return false if ran.error?

      objects = JSON.parse(ran.stdout)['nftables']
      sets = objects.filter_map { |object| object['set'] }.to_h { |set| [set['name'], Array(set['elem']).map { |each| element(each) }] }
      rules = objects.count { |object| object.key?('rule') }
      rules == 4 && sets['ports'].to_a.sort == ports.map(&:to_s).sort && [*sets['nodes4'], *sets['nodes6']].sort == sources
    end

    def parse(text)
      IPAddr.new(text)
    rescue IPAddr::Error
      raise "firewall: #{text.inspect} is neither an IP address nor a network; correct openstack.firewall.nodes or openstack.firewall.also"
    end

    def show(address)
      whole = address.ipv4? ? 32 : 128
      address.prefix == whole ? address.to_s : "#{address}/#{address.prefix}"
    end

    def elements(list)
      list.empty? ? '' : "elements = { #{list.join(', ')} }"
    end

    def element(json)
      case json
      when Hash then json.key?('range') ? json['range'].join('-') : json['prefix'].values_at('addr', 'len').join('/')
      else json.to_s
      end
    end
    private_class_method :parse, :show, :elements, :element
  end
end
