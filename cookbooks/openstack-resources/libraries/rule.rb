# frozen_string_literal: true

require 'ipaddr'

module OpenstackResources
  # A rule of a security group, as Neutron's API has it.
  module Rule
    FIELDS = %w(direction ethertype protocol port_range_min port_range_max remote_ip_prefix remote_group_id).freeze
    EVERYWHERE = ['0.0.0.0/0', '::/0'].freeze
    KEYS = %w(direction ethertype protocol port remote).freeze

    module_function

    # @param rule [Hash] as in a recipe: direction (default ingress), ethertype (default IPv4, or what remote is), protocol (default: all),
    #   port (22, or '8000-8080'; default: all), remote (a CIDR, or the name of a group; default: everywhere)
    # @yieldparam name [String] the name of a security group
    # @yieldreturn [String] its ID
    # @return [Hash] the body for Neutron
    # @raise [ArgumentError] unknown keys
    def body(rule)
      unknown = rule.keys - KEYS
      raise ArgumentError, "security group rule #{rule}: unknown key #{unknown.join(', ')}; known keys are #{KEYS.join(', ')}" unless unknown.empty?

      first, last = rule['port'].to_s.split('-', 2).map { |port| Integer(port) }
      remote = rule['remote']
      cidr = remote if remote.to_s.include?('/')
      {
        'direction' => rule['direction'] || 'ingress',
        # as Neutron writes them; else a rule would be created again, and refused
        'ethertype' => rule['ethertype']&.sub(/\Aipv/i, 'IPv') || (cidr.to_s.include?(':') ? 'IPv6' : 'IPv4'),
        'protocol' => rule['protocol']&.to_s&.downcase,
        'port_range_min' => first,
        'port_range_max' => last || first,
        'remote_ip_prefix' => cidr&.sub(%r{[^/]+}) { |address| IPAddr.new(address).to_s },
        'remote_group_id' => (yield remote if remote && !cidr),
      }.compact
    end

    # @return [Boolean] whether two rules of the API allow the same
    def same?(one, other)
      normal(one) == normal(other)
    end

    def normal(rule)
      FIELDS.to_h { |field| [field, rule[field]] }.tap { |fields| fields['remote_ip_prefix'] = nil if EVERYWHERE.include?(fields['remote_ip_prefix']) }
    end
    private_class_method :normal
  end
end
