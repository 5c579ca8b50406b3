# frozen_string_literal: true

require_relative 'rest'

module OpenstackCommon
  # The part of Keystone's REST API that recipes need. Returns objects as the API does.
  class Keystone
    # Keystone rejected a request, or did not respond. status: the HTTP status; nil if there was no response.
    Error = Rest::Error

    DOMAIN = 'default'
    IN_DOMAIN = %w(users projects).freeze

    # @param url [String] with the version, such as http://10.0.112.10:5000/v3
    # @param timeout [Integer] seconds within which Keystone must respond; it may be starting
    # @param ca_file [String, nil] the CA certificates for HTTPS; nil: those of the system
    def initialize(url:, user:, password:, project:, timeout: 120, ca_file: nil)
      @anonymous = Rest.new(name: 'Keystone', url: url, timeout: timeout, ca_file: ca_file)
      @rest = Rest.new(name: 'Keystone', url: url, timeout: timeout, ca_file: ca_file) { |renew| token(renew: renew) }
      @user = user
      @password = password
      @project = project
    end

    # @param renew [Boolean] whether to log in again, for example because a service rejected the token
    # @return [String] a token, with which other services can be used too
    def token(renew: false)
      @token = nil if renew
      @token ||= authenticate(@user, @password, @project)['X-Subject-Token']
    end

    # @param domain [String] the ID of the user's domain
    # @param project [String, nil] one in which the user must have a role
    # @return [Boolean] whether a user can log in with this password
    # @raise [Error] the login failed for another reason than a wrong password
    def password?(user, password, domain: DOMAIN, project: nil)
      authenticate(user, password, project, domain: domain)
      true
    rescue Error => e
      raise unless e.status == 401

      false
    end

    # @return [Array<Hash>] all objects of a kind: 'users', 'projects', 'domains', 'roles', 'services', 'endpoints'
    def list(kind, **filters)
      query = filters.empty? ? '' : "?#{URI.encode_www_form(filters)}"
      @rest.list("/#{kind}#{query}", kind)
    end

    # @param domain [String] the ID of the domain in which users and projects are looked for
    # @return [Hash, nil] the object of that name
    def find(kind, name, domain: DOMAIN)
      list(kind, name: name, **in_domain(kind, domain)).first
    end

    # @param attributes [Hash] users and projects without `domain_id` are created in the default domain
    def create(kind, attributes)
      single = kind.chomp('s')
      @rest.post("/#{kind}", { single => in_domain(kind, DOMAIN).merge(attributes) }).fetch(single)
    end

    def update(kind, id, attributes)
      single = kind.chomp('s')
      @rest.patch("/#{kind}/#{id}", { single => attributes }).fetch(single)
    end

    # The catalog is short: it is asked for as a whole, once, instead of for each service.
    #
    # @return [Hash, nil] the service of a type in the catalog
    def service(type)
      list('services').find { |service| service['type'] == type }
    end

    # @return [Hash] {interface => URL} of the service of that type in that region; empty if there is none
    def endpoints(type, region)
      id = service(type)&.fetch('id')
      found = list('endpoints').select { |endpoint| endpoint['service_id'] == id && endpoint['region_id'] == region }
      found.to_h { |endpoint| [endpoint['interface'], endpoint['url']] }
    end

    # @param target_id [String] the ID of a project, or of what `on` says
    # @param on [String] 'projects' or 'domains'
    # @return [Array<String>] the names of the roles that a user has there
    def roles_of(user_id, target_id, on: 'projects')
      @rest.list("/#{on}/#{target_id}/users/#{user_id}/roles", 'roles').map { |role| role['name'] }
    end

    def assign(user_id, target_id, role_id, on: 'projects')
      @rest.put("/#{on}/#{target_id}/users/#{user_id}/roles/#{role_id}")
    end

    private

    def in_domain(kind, domain)
      IN_DOMAIN.include?(kind) ? { domain_id: domain } : {}
    end

    def authenticate(user, password, project, domain: DOMAIN)
      identity = { methods: ['password'], password: { user: { name: user, password: password, domain: { id: domain } } } }
      auth = { identity: identity }
      auth[:scope] = project ? { project: { name: project, domain: { id: DOMAIN } } } : 'unscoped'
      @anonymous.request(:Post, '/auth/tokens', { auth: auth })
    end
  end
end
