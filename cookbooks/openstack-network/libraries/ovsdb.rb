# frozen_string_literal: true

require 'json'
require 'socket'

module OpenstackNetwork
  # Reads the output of ovs-vsctl, ovn-nbctl and ovn-sbctl with `--format=json`, and formats their arguments.
  module Ovsdb
    module_function

    # @param json [String] a table in the format of these programs
    # @return [Array<Hash>] a hash of column to value for each row
    def rows(json)
      table = JSON.parse(json)
      table['data'].map { |row| table['headings'].zip(row.map { |cell| value(cell) }).to_h }
    end

    # OVSDB's notation (RFC 7047, 5.1): a map becomes a hash, a set an array, an atom itself.
    def value(cell)
      return cell unless cell.is_a?(Array)

      kind, content = cell
      case kind
      when 'map' then content.to_h
      when 'set' then content.map { |item| value(item) }
      else content
      end
    end

    # @return [Array<String>] `column:key="value"` for each entry; quoted, because a comma in
    #   an unquoted value would start another entry
    def assignments(column, settings)
      settings.map { |key, text| "#{column}:#{key}=#{text.to_s.to_json}" }
    end

    # Waits until a server listens on the UNIX socket `path`: the units of Open vSwitch and OVN
    # become active before that.
    # @raise [RuntimeError] after `seconds`
    def wait_for(path, seconds: 30)
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
      until listening?(path)
        if Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
          raise "nothing listens on #{path} after #{seconds} s; see the logs in /var/log/ovn"
        end

        sleep 0.1
      end
    end

    def listening?(path)
      UNIXSocket.open(path, &:itself)
      true
    rescue Errno::ENOENT, Errno::ECONNREFUSED
      false
    end
  end
end
