# frozen_string_literal: true

require_relative '../../libraries/datapath'

RSpec.describe OpenstackNetwork::Datapath do
  let(:modprobe) { instance_double(Mixlib::ShellOut) }

  before do
    allow(File).to receive(:directory?).and_call_original
    allow(File).to receive(:directory?).with('/sys/module/openvswitch').and_return(false)
    allow(Mixlib::ShellOut).to receive(:new).with('modprobe', any_args).and_return(modprobe)
  end

  it 'is system if the kernel module is loaded' do
    allow(File).to receive(:directory?).with('/sys/module/openvswitch').and_return(true)
    expect(described_class.detect).to eq('system')
  end

  it 'is system if the kernel module can be loaded' do
    allow(modprobe).to receive(:run_command).and_return(instance_double(Mixlib::ShellOut, error?: false))
    expect(described_class.detect).to eq('system')
  end

  it 'is netdev if there is no kernel module' do
    allow(modprobe).to receive(:run_command).and_return(instance_double(Mixlib::ShellOut, error?: true))
    expect(described_class.detect).to eq('netdev')
  end

  it 'is netdev if there is no modprobe' do
    allow(modprobe).to receive(:run_command).and_raise(Errno::ENOENT)
    expect(described_class.detect).to eq('netdev')
  end
end
