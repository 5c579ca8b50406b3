# frozen_string_literal: true

require 'digest'

module OpenstackIdentity
  # Keystone's keys of tokens and credentials: number => key. 0 is staged; the highest number encrypts, the others only decrypt.
  module Keys
    DIRECTORIES = { 'fernet' => '/etc/keystone/fernet-keys', 'credential' => '/etc/keystone/credential-keys' }.freeze
    ROTATED = 3 # keys that a data bag item has after the first rotation

    module_function

    # @param wanted [Hash{Integer => String}] the keys of the data bag
    # @param present [Hash{Integer => String}] the keys of the node
    # @return [Hash{Integer => String}] those that it should have: until the first rotation, what Keystone has encrypted before
    #   with keys of its own can be decrypted
    def merge(wanted, present)
      return wanted if wanted.size >= ROTATED

      room = wanted.keys.reject(&:zero?).min - 1
      older = present.sort.map(&:last) - wanted.values
      older.last(room).each.with_index(1).to_h { |key, number| [number, key] }.merge(wanted)
    end

    # @return [Hash{Integer => String}] the keys in a directory; empty if there is none
    def read(directory)
      Dir.glob(File.join(directory, '*')).select { |path| File.basename(path).match?(/\A\d+\z/) }
         .to_h { |path| [File.basename(path).to_i, File.read(path).strip] }
    end

    # @return [String] what Keystone stores with each credential that it encrypts with this key
    def hash_of(key)
      Digest::SHA1.hexdigest(key)
    end

    # @param item [String] the name of a data bag item
    # @param keys [Hash{String => String}] its keys
    # @return [Hash{Integer => String}]
    # @raise [RuntimeError] it has only the staged key, which does not encrypt
    def numbered(item, keys)
      numbered = keys.to_h.transform_keys(&:to_i)
      return numbered if numbered.keys.any?(&:positive?)

      raise "data bag keystone_keys, item #{item}: only keys with a number above 0 encrypt, and it has none; add one, such as `\"1\": KEY`"
    end

    # For recipes.
    module Helpers
      # Each zone of a manifest is an environment, and has keys of its own.
      #
      # @param kind [String] fernet or credential
      # @return [Hash{Integer => String}, nil] the keys in the data bag keystone_keys; nil if it has none
      # @raise [RuntimeError] the item has no key that encrypts; or no keys, or is not there, and the cloud has several controllers
      def openstack_keystone_keys_of(kind)
        own = "#{kind}-#{node.chef_environment}"
        item = data_bag('keystone_keys').include?(own) ? own : kind
        keys = data_bag_item('keystone_keys', item)['keys']
        return Keys.numbered(item, keys) if keys

        raise "data bag keystone_keys, item #{kind}: field keys is missing; add it with number => key" if openstack_ha?
      rescue Net::HTTPClientException, Chef::Exceptions::InvalidDataBagPath => e
        raise if e.is_a?(Net::HTTPClientException) && e.response.code != '404'
        raise "data bag keystone_keys has no item #{kind}, and all controllers need the same keys; let `stackcook upload` generate it" if openstack_ha?
      end
    end
  end
end

Chef::DSL::Universal.include(OpenstackIdentity::Keys::Helpers) if defined?(Chef::DSL::Universal)
