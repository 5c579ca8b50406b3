# frozen_string_literal: true

require 'digest'

module OpenstackResources
  # Checksums of image files: SHA-256 or SHA-512, in hexadecimal digits.
  module Checksum
    ALGORITHMS = { 64 => 'sha256', 128 => 'sha512' }.freeze

    module_function

    # @return [String] sha256 or sha512
    # @raise [ArgumentError] it is neither
    def algorithm(checksum)
      ALGORITHMS.fetch(checksum.length) { raise ArgumentError, "checksum #{checksum} has #{checksum.length} digits; set it to a SHA-256, which has 64, or a SHA-512, which has 128" }
    end

    # @return [String] the checksum of a file
    def of(path, algorithm)
      { 'sha256' => Digest::SHA256, 'sha512' => Digest::SHA512 }.fetch(algorithm).file(path).hexdigest
    end

    # @raise [RuntimeError] the file has another checksum
    def verify!(path, checksum, source)
      found = of(path, algorithm(checksum))
      raise "#{source}: its checksum is #{found}, but #{checksum} is expected; correct the checksum, or check where the file comes from" unless found == checksum
    end
  end
end
