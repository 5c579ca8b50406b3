# frozen_string_literal: true

require 'json'
require 'net/http'

module OpenstackCommon
  # The part of Keystone's REST API that recipes need. Returns objects as the API does.
  class Keystone
    # Keystone rejected a request, or did not respond. status: the HTTP status; nil if there was no response.
    class Error < RuntimeError
      attr_reader :status

      def initialize(message, status = nil)
        super(message)
        @status = status
      end
    end

    DOMAIN = 'default'
    IN_DOMAIN = %w(users projects).freeze

    # @param url [String] with the version, such as http://10.0.112.10:5000/v3
    # @param timeout [Integer] seconds within which Keystone must respond; it may be starting
    def initialize(url:, user:, password:, project:, timeout: 120)
      @uri = URI(url)
      @user = user
      @password = password
      @project = project
      @timeout = timeout
    end

    # @return [Boolean] whether a user can log in with this password
    # @raise [Error] the login failed for another reason than a wrong password
    def password?(user, password)
      authenticate(user, password, nil)
      true
    rescue Error => e
      raise unless e.status == 401

      false
    end

    # @return [Array<Hash>] all objects of a kind: 'users', 'projects', 'roles', 'services', 'endpoints'
    def list(kind, **filters)
      query = filters.empty? ? '' : "?#{URI.encode_www_form(filters)}"
      request(:Get, "/#{kind}#{query}").fetch(kind)
    end

    # @return [Hash, nil] the object of that name; of users and projects, the one in the default domain
    def find(kind, name)
      list(kind, name: name, **in_domain(kind)).first
    end

    def create(kind, attributes)
      single = kind.chomp('s')
      request(:Post, "/#{kind}", { single => attributes.merge(in_domain(kind)) }).fetch(single)
    end

    def update(kind, id, attributes)
      single = kind.chomp('s')
      request(:Patch, "/#{kind}/#{id}", { single => attributes }).fetch(single)
    end

    # @return [Hash] {interface => URL} of the service of that type in that region; empty if there is none
    def endpoints(type, region)
      service = list('services', type: type).first
      return {} unless service

      found = list('endpoints', service_id: service['id'], region_id: region)
      found.to_h { |endpoint| [endpoint['interface'], endpoint['url']] }
    end

    # @return [Array<String>] the names of the roles that a user has on a project
    def roles_of(user_id, project_id)
      request(:Get, "/projects/#{project_id}/users/#{user_id}/roles").fetch('roles').map { |role| role['name'] }
    end

    def assign(user_id, project_id, role_id)
      request(:Put, "/projects/#{project_id}/users/#{user_id}/roles/#{role_id}")
    end

    private

    def in_domain(kind)
      IN_DOMAIN.include?(kind) ? { domain_id: DOMAIN } : {}
    end

    def token
      @token ||= authenticate(@user, @password, @project)['X-Subject-Token']
    end

    def authenticate(user, password, project)
      identity = { methods: ['password'], password: { user: { name: user, password: password, domain: { id: DOMAIN } } } }
      auth = { identity: identity }
      auth[:scope] = project ? { project: { name: project, domain: { id: DOMAIN } } } : 'unscoped'
      answer(:Post, '/auth/tokens', { auth: auth }, nil)
    end

    def request(verb, path, body = nil)
      text = answer(verb, path, body, token).body
      text.to_s.empty? ? {} : JSON.parse(text)
    end

    # Keystone may be starting: failed connections and 5xx are retried until the deadline.
    def answer(verb, path, body, token)
      deadline = monotonic + @timeout
      begin
        response = send_once(verb, path, body, token)
        raise Error.new(refusal(verb, path, response), response.code.to_i) unless response.is_a?(Net::HTTPSuccess)

        response
      rescue Error, SystemCallError, IOError, Net::OpenTimeout, Net::ReadTimeout => e
        final = e.is_a?(Error) && e.status < 500
        raise if final || (e.is_a?(Error) && monotonic > deadline)
        raise Error, "Keystone at #{@uri}: no response within #{@timeout} s (#{e.message}); check that keystone is running there" if monotonic > deadline

        sleep 0.5
        retry
      end
    end

    def send_once(verb, path, body, token)
      headers = { 'Content-Type' => 'application/json', 'X-Auth-Token' => token }.compact
      Net::HTTP.start(@uri.host, @uri.port, use_ssl: @uri.scheme == 'https', open_timeout: 5, read_timeout: 60) do |http|
        http.send_request(verb.to_s.upcase, "#{@uri.path.chomp('/')}#{path}", body && JSON.generate(body), headers)
      end
    end

    def refusal(verb, path, response)
      cause = begin
        JSON.parse(response.body).dig('error', 'message')
              rescue JSON::ParserError, TypeError
                response.message
      end
      "Keystone at #{@uri}: #{verb.to_s.upcase} #{path}: #{response.code} #{cause}"
    end

    def monotonic
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
