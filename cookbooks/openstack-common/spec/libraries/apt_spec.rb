# frozen_string_literal: true

RSpec.describe OpenstackCommon::Apt do
  let(:policy) { File.join(Dir.mktmpdir, 'policy-rc.d') }
  let(:ran) { [] }
  let(:installed) { %w(eatmydata libeatmydata1) }
  let(:during) { [] }

  before do
    stub_const("#{described_class}::POLICY", policy)
    allow(Mixlib::ShellOut).to receive(:new) do |argv, **_|
      ran << argv
      during << File.read(policy) if argv.include?('keystone') && argv.include?('install')
      known = installed.map { |name| "#{name} ii \n" }.join
      instance_double(Mixlib::ShellOut, stdout: known, error!: nil).tap { |command| allow(command).to receive(:run_command).and_return(command) }
    end
  end

  it 'knows what is missing' do
    expect(described_class.missing(%w(eatmydata keystone))).to eq(%w(keystone))
  end

  it 'refreshes the lists, then installs all in one transaction, starting nothing' do
    described_class.install(%w(keystone glance))
    expect(ran.map { |argv| argv & %w(update install keystone glance) }.reject(&:empty?)).to eq([%w(update), %w(install keystone glance)])
    expect(during).to eq([described_class::REFUSAL])
    expect(File).not_to exist(policy)
  end

  it 'leaves the user\'s own policy as it was' do
    File.write(policy, "#!/bin/sh\nexit 0\n")
    described_class.install(%w(keystone))
    expect(File.read(policy)).to eq("#!/bin/sh\nexit 0\n")
  end

  it 'takes away the policy that a killed run left' do
    File.write(policy, described_class::REFUSAL)
    described_class.install(%w(keystone))
    expect(File).not_to exist(policy)
  end
end
