# frozen_string_literal: true

RSpec.describe OpenstackCompute::Numa do
  { [0, 1] => '3', [3] => '8', [0, 32, 67] => '8,00000001,00000001' }.each do |cpus, mask|
    it "describes one node with the CPUs #{cpus}" do
      expect(described_class.files(4096, cpus)).to include(
        'online' => "0\n", 'node0/meminfo' => start_with("Node 0 MemTotal: 4194304 kB\n"), 'node0/cpulist' => "#{cpus.join(',')}\n", 'node0/cpumap' => "#{mask}\n"
      )
    end
  end

  it 'reads the CPUs that the container may use' do
    allow(File).to receive(:read).with('/proc/self/status').and_return("Cpus_allowed:\td\nCpus_allowed_list:\t0,2-3\n")
    expect(described_class.cpus).to eq([0, 2, 3])
  end
end
