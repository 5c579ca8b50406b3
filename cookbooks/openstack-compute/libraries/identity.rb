# frozen_string_literal: true

require 'digest'

module OpenstackCompute
  # The UUID by which Nova identifies a compute node.
  module Identity
    DNS_NAMESPACE = ['6ba7b8109dad11d180b400c04fd430c8'].pack('H*').freeze

    # @return [String] the UUID (RFC 9562, version 5) of a host's name
    def self.uuid(host)
      bytes = Digest::SHA1.digest(DNS_NAMESPACE + host).bytes.first(16)
      bytes[6] = bytes[6] & 0x0f | 0x50
      bytes[8] = bytes[8] & 0x3f | 0x80
      bytes.pack('C*').unpack1('H*').unpack('a8a4a4a4a12').join('-')
    end

    # @param uuid [String]
    # @return [true, false] whether it was derived from a name, by {uuid}; Nova generates random ones
    def self.derived?(uuid)
      uuid.match?(/\A\h{8}-\h{4}-5/)
    end
  end
end
