# frozen_string_literal: true

require 'json'
require 'zlib'

# swift-ring-builder as far as the cookbook uses it. A builder file is JSON; partitions are spread over the devices in turn.
class FakeRingBuilder
  Done = Struct.new(:exitstatus, :stdout, :stderr)

  attr_reader :commands
  # whether min_part_hours have not passed yet
  attr_accessor :early

  # Makes all commands of examples go to a fake.
  def self.installed(example)
    new.tap do |fake|
      example.allow(Mixlib::ShellOut).to example.receive(:new) do |_, file, verb, *words, **|
        example.instance_double(Mixlib::ShellOut, run_command: nil).tap do |ran|
          done = fake.run(file, verb, words)
          example.allow(ran).to example.receive_messages(done.to_h)
        end
      end
    end
  end

  def self.ring(devices, replicas: devices.size, version: 1, parts: 16)
    usable = devices.select { |device| device['weight'].positive? }
    header = { 'devs' => devices, 'replica_count' => replicas, 'version' => version, 'part_shift' => 28, 'byteorder' => 'little' }.to_json
    assigned = (0...(parts * replicas)).map { |number| usable[number % usable.size]['id'] }
    Zlib.gzip(['R1NG', 1, header.bytesize].pack('a4nN') + header + assigned.pack('S<*'))
  end

  def initialize
    @commands = []
  end

  def run(file, verb, words)
    @commands << [verb, *words]
    @builder = file.sub(/\.ring\.gz\z/, '.builder')
    return restore(file) if verb == 'write_builder'

    state = File.exist?(@builder) ? JSON.parse(File.read(@builder)) : {}
    done = send(verb, state, words)
    File.write(@builder, state.to_json)
    done.is_a?(Done) ? done : Done.new(0, '', '')
  end

  private

  def create(state, words)
    state.merge!('devices' => [], 'replicas' => words[1].to_i, 'version' => 0)
  end

  def add(state, words)
    words.each_slice(2) do |text, weight|
      region, zone, ip, port, device, meta = text.match(%r{\Ar(\d+)z(\d+)-(.+):(\d+)/([^_]+)_(.+)\z}).captures
      id = (state['devices'].map { |each| each['id'] }.max || -1) + 1
      state['devices'] << { 'id' => id, 'region' => region.to_i, 'zone' => zone.to_i, 'ip' => ip, 'port' => port.to_i, 'device' => device,
                            'meta' => meta, 'weight' => weight.to_f }
    end
  end

  def set_weight(state, words)
    (words - %w(--yes)).each_slice(2) { |id, weight| device(state, id)['weight'] = weight.to_f }
  end

  def set_info(state, words)
    (words - %w(--yes)).each_slice(2) { |id, place| device(state, id)['ip'] = place[/\A[^:]+/] }
  end

  def remove(state, words)
    (words - %w(--yes)).each { |id| state['devices'].delete(device(state, id)) }
  end

  def set_replicas(state, words)
    state['replicas'] = words.first.to_i
  end

  def rebalance(state, _words)
    return Done.new(1, "No partitions could be reassigned.\nmin_part_hours", '') if early

    state['version'] += 1
    write_ring(state, [])
  end

  def write_ring(state, _words)
    bytes = self.class.ring(state['devices'], replicas: state['replicas'], version: state['version'])
    File.binwrite(@builder.sub(/builder\z/, 'ring.gz'), bytes) if state['devices'].any?
  end

  def restore(file)
    ring = OpenstackObjectStorage::Ring.read(file)
    File.write(@builder, { 'devices' => ring.devices, 'replicas' => ring.replicas, 'version' => ring.version }.to_json)
    Done.new(0, '', '')
  end

  def device(state, id)
    state['devices'].find { |device| "d#{device['id']}" == id }
  end
end
