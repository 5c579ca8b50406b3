# frozen_string_literal: true

require 'json'

module OpenstackDashboard
  # Horizon's settings: a Python file of assignments.
  module Settings
    # HAProxy accepts TLS. Horizon itself uses the internal endpoints, whose certificates it need not know.
    TLS = {
      'SECURE_PROXY_SSL_HEADER' => %w(HTTP_X_FORWARDED_PROTO https),
      'CSRF_COOKIE_SECURE' => true,
      'SESSION_COOKIE_SECURE' => true,
      'OPENSTACK_ENDPOINT_TYPE' => 'internalURL',
    }.freeze

    # pymemcache's: without ignore_exc, requests fail while one of the servers is down
    SEVERAL_CACHES = { 'ignore_exc' => true, 'connect_timeout' => 1, 'timeout' => 1, 'retry_attempts' => 0, 'dead_timeout' => 30 }.freeze

    module_function

    # @param settings [Hash] {name => value}; values are of JSON's types, a setting with the value nil is omitted
    def render(settings)
      lines = settings.compact.sort_by { |name, _| name.to_s }.map { |name, value| "#{name} = #{literal(value)}\n" }
      "# Written by Chef. Change settings in the environment: openstack.dashboard.conf.DEFAULT.KEY\n#{lines.join}"
    end

    # @return [String] the value as a Python literal
    def literal(value)
      case value
      when nil then 'None'
      when true then 'True'
      when false then 'False'
      when Hash then "{#{value.map { |key, item| "#{literal(key.to_s)}: #{literal(item)}" }.join(', ')}}"
      when Array then "[#{value.map { |item| literal(item) }.join(', ')}]"
      else JSON.generate(value)
      end
    end
  end
end
