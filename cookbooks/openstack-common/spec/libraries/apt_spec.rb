# frozen_string_literal: true

RSpec.describe OpenstackCommon::Apt do
  let(:directory) { Dir.mktmpdir }
  let(:policy) { File.join(directory, 'policy-rc.d') }
  let(:saved) { "#{policy}.saved-by-chef" }
  let(:own) { "#!/bin/sh\nexit 104\n" }

  before do
    stub_const("#{described_class}::POLICY", policy)
    stub_const("#{described_class}::SAVED", saved)
  end

  after { FileUtils.rm_rf(directory) }

  def write_own(text = own)
    File.write(policy, text)
    File.chmod(0o750, policy)
  end

  # Runs the block in a process that is killed with SIGKILL during the block.
  def killed_while_installing
    child = fork { described_class.without_starting_services { Process.kill(:KILL, Process.pid) } }
    _, status = Process.wait2(child)
    expect(status.termsig).to eq(Signal.list['KILL'])
  end

  it 'finds the packages that are missing' do
    command = instance_double(Mixlib::ShellOut, stdout: "memcached ii \nglance rc \n")
    allow(command).to receive(:run_command).and_return(command)
    allow(Mixlib::ShellOut).to receive(:new).and_return(command)
    expect(described_class.missing(%w(memcached glance keystone))).to eq(%w(glance keystone))
  end

  it 'denies the start of services during the block, but D-Bus may reload' do
    described_class.without_starting_services do
      { %w(memcached start) => 101, %w(dbus restart) => 101, %w(--quiet dbus reload) => 0 }.each do |arguments, status|
        system(policy, *arguments)
        expect($CHILD_STATUS.exitstatus).to eq(status)
      end
    end
  end

  context 'without a policy of the administrator' do
    it 'leaves no policy behind' do
      described_class.without_starting_services { nil }
      expect(Dir.children(directory)).to be_empty
    end

    it 'leaves no policy behind when the installation fails' do
      expect { described_class.without_starting_services { raise 'no space' } }.to raise_error('no space')
      expect(Dir.children(directory)).to be_empty
    end

    it 'removes its own after a killed run' do
      killed_while_installing
      expect(described_class).to be_policy_left_behind
      described_class.restore_policy
      expect(Dir.children(directory)).to be_empty
    end
  end

  context 'with a policy of the administrator' do
    before { write_own }

    after do
      expect(Dir.children(directory)).to eq(%w(policy-rc.d))
      expect(described_class).not_to be_policy_left_behind
    end

    it 'puts it back with its mode' do
      described_class.without_starting_services { nil }
      expect(File.read(policy)).to eq(own)
      expect(File.stat(policy).mode & 0o777).to eq(0o750)
    end

    it 'puts it back after a killed run' do
      killed_while_installing
      described_class.restore_policy
      expect(File.read(policy)).to eq(own)
    end

    it 'keeps it when several runs in a row are killed' do
      2.times { killed_while_installing }
      described_class.without_starting_services { nil }
      expect(File.read(policy)).to eq(own)
    end

    it 'puts it back after a kill between saving it and writing the temporary one' do
      File.rename(policy, saved)
      expect(described_class).to be_policy_left_behind
      described_class.restore_policy
      expect(File.read(policy)).to eq(own)
    end

    it 'restores nothing after a kill that came when everything was restored' do
      described_class.without_starting_services { nil }
      write_own("#!/bin/sh\nexit 0\n")
      described_class.restore_policy
      expect(File.read(policy)).to eq("#!/bin/sh\nexit 0\n")
    end

    it 'prefers a policy that was written after a killed run' do
      killed_while_installing
      write_own("#!/bin/sh\nexit 0\n")
      described_class.restore_policy
      expect(File.read(policy)).to eq("#!/bin/sh\nexit 0\n")
    end

    it 'restores a symbolic link as a link' do
      File.rename(policy, target = File.join(Dir.mktmpdir, 'target'))
      File.symlink(target, policy)
      described_class.without_starting_services { nil }
      expect(File.readlink(policy)).to eq(target)
    end
  end
end
