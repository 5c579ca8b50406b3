# frozen_string_literal: true

RSpec.describe OpenstackCompute::Sizes do
  # MiB: what /proc/meminfo says, the limit of the cgroup, those of the NUMA nodes
  def node(meminfo:, limit: nil, version: 1, numa: [meminfo])
    files = numa.each_index.map { |number| "/sys/devices/system/node/node#{number}/meminfo" }
    allow(Dir).to receive(:[]).with('/sys/devices/system/node/node*/meminfo').and_return(files)
    files.zip(numa) { |file, size| allow(File).to receive(:read).with(file).and_return("\nNode 0 MemTotal:    #{size * 1024} kB\n") }
    allow(File).to receive(:read).with('/proc/meminfo').and_return("MemTotal:       #{meminfo * 1024} kB\nMemFree: 1 kB\n")
    paths = { 1 => '/sys/fs/cgroup/memory/memory.limit_in_bytes', 2 => '/sys/fs/cgroup/memory.max' }
    paths.each_value { |path| allow(File).to receive(:exist?).with(path).and_return(path == paths[version]) }
    allow(File).to receive(:read).with(paths[version]).and_return("#{limit ? limit * 1024 * 1024 : 'max'}\n")
  end

  it 'reserves memory for the services of a compute node, and for those of a controller too' do
    node(meminfo: 16_384)
    expect([false, true].map { |controller| described_class.reserved_memory(controller: controller) }).to eq([1024, 5120])
  end

  it 'reserves what libvirt sees of a container\'s host' do
    node(meminfo: 4096, numa: [16_384, 8192])
    expect(described_class.reserved_memory(controller: false)).to eq(16_384 + 8192 - 4096 + 1024)
  end

  it 'leaves a quarter of a small node\'s memory to instances' do
    node(meminfo: 4096)
    expect(described_class.reserved_memory(controller: true)).to eq(3072)
  end

  {
    { meminfo: 8192 } => 8192,
    { meminfo: 24_000, limit: 4096 } => 4096,
    { meminfo: 24_000, limit: 4096, version: 2 } => 4096,
    { meminfo: 8192, limit: 2**43 } => 8192, # how version 1 says that there is no limit
  }.each do |sizes, memory|
    it "has #{memory} MiB with #{sizes}" do
      node(**sizes)
      expect(described_class.memory).to eq(memory)
    end
  end

  { '0-7' => 6, '0,2-3' => 1, '0-1' => 0, '0' => 0 }.each do |online, reserved|
    it "reserves #{reserved} of the CPUs #{online} if the node has 2" do
      allow(File).to receive(:read).with('/sys/devices/system/cpu/online').and_return("#{online}\n")
      allow(Etc).to receive(:nprocessors).and_return(2)
      expect(described_class.reserved_cpus).to eq(reserved)
    end
  end
end
