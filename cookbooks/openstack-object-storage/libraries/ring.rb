# frozen_string_literal: true

require 'json'
require 'zlib'

module OpenstackObjectStorage
  # A ring file of Swift: on which devices the replicas of each partition are.
  class Ring
    # @return [Ring, nil] the ring in a file; nil if there is no file
    def self.read(path)
      new(File.binread(path)) if File.exist?(path)
    end

    # @return [String] the file's bytes
    attr_reader :bytes

    # @raise [ArgumentError] it isn't a ring in version 1 of the format, the one that Swift 2.35 writes
    def initialize(bytes)
      text = Zlib.gunzip(bytes)
      magic, format, size = text.unpack('a4nN')
      raise ArgumentError, "not a ring in format 1, but #{magic.inspect} #{format}; use the same version of Swift on all nodes" unless [magic, format] == ['R1NG', 1]

      @bytes = bytes
      @data = JSON.parse(text.byteslice(10, size))
      @assigned = text.byteslice((10 + size)..)
    end

    # @return [Integer] increases with each change
    def version
      @data.fetch('version')
    end

    def replicas
      @data.fetch('replica_count')
    end

    # @return [Array<Hash>] with id, ip, port, device, weight, and the node's name as meta
    def devices
      @data.fetch('devs').compact
    end

    # @return [Float] how far the partitions on a device are from its share, in percent; of the worst device
    def imbalance
      parts = @assigned.unpack(@data['byteorder'] == 'big' ? 'S>*' : 'S<*').tally
      total = devices.sum { |device| device['weight'] }
      devices.map { |device| off(parts.fetch(device['id'], 0), parts.values.sum * device['weight'] / total) }.max
    end

    private

    def off(parts, share)
      return parts.zero? ? 0.0 : 100.0 if share.zero?

      100.0 * (parts - share).abs / share
    end
  end
end
