# frozen_string_literal: true

require 'base64'
require 'digest'
require 'json'
require 'securerandom'

module OpenstackMessaging
  # RabbitMQ's definitions file: a user with all permissions on the services' virtual host, and on `/`, which services used before.
  module Definitions
    SALT = 4 # bytes

    module_function

    # @param existing [String, nil] the present file. Its salt is kept, so that the file changes only if the user or password does
    # @param vhost [String] the services' virtual host
    # @param queue_type [String, nil] the type of queues that are declared without one
    # @param former [Array<String>] virtual hosts that services use until they converge again. Without them, services try to connect
    #   hundreds of times per second
    # @return [String] JSON
    def render(user, password, existing, vhost:, queue_type: nil, former: [])
      salt = existing ? salt_of(existing) : SecureRandom.bytes(SALT)
      names = ['/', vhost, *former]
      definitions = {
        vhosts: names.map { |name| { name: name, default_queue_type: queue_type }.compact },
        users: [{ name: user, password_hash: password_hash(salt, password), hashing_algorithm: 'rabbit_password_hashing_sha256', tags: [] }],
        permissions: names.map { |name| { user: user, vhost: name, configure: '.*', write: '.*', read: '.*' } },
      }
      "#{JSON.pretty_generate(definitions)}\n"
    end

    def salt_of(existing)
      Base64.strict_decode64(JSON.parse(existing).fetch('users').first.fetch('password_hash')).byteslice(0, SALT)
    end

    # @return [String] as RabbitMQ stores it: Base64 of the salt and the digest of salt and password
    def password_hash(salt, password)
      Base64.strict_encode64(salt + Digest::SHA256.digest(salt + password.b))
    end
    private_class_method :salt_of, :password_hash
  end
end
