# frozen_string_literal: true

RSpec.describe OpenstackCommon::Firewall do
  describe '.sources' do
    it 'keeps each address once, and none that a network contains, which nft would refuse' do
      given = %w(10.0.0.11 10.0.0.10 10.0.0.11 10.1.0.7 10.1.0.0/24 10.1.0.0/16 FD00::0:1 fd01::/64)
      expect(described_class.sources(given)).to eq(%w(10.0.0.10 10.0.0.11 10.1.0.0/16 fd00::1 fd01::/64))
    end

    it 'names what is no address' do
      expect { described_class.sources(%w(controller)) }.to raise_error(/"controller" is neither an IP address nor a network; correct openstack.firewall/)
    end
  end

  it 'lets addresses of both families connect' do
    rules = described_class.render([3306, '5900-6079'], %w(10.0.0.10 fd00::1))
    expect(rules).to include('elements = { 3306, 5900-6079 }', 'elements = { 10.0.0.10 }', 'elements = { fd00::1 }')
  end

  describe '.loaded?' do
    let(:sets) { { 'ports' => [5672, { 'range' => [5900, 6079] }], 'nodes4' => ['10.0.0.10', { 'prefix' => { 'addr' => '10.1.0.0', 'len' => 16 } }], 'nodes6' => nil } }
    let(:rules) { 4 }
    let(:answer) do
      objects = sets.map { |name, elements| { 'set' => { 'name' => name, 'elem' => elements }.compact } } + [{ 'rule' => {} }] * rules
      instance_double(Mixlib::ShellOut, error?: false, stdout: JSON.generate('nftables' => objects))
    end

    before { allow(Mixlib::ShellOut).to receive(:new).with(%w(nft --json list table inet openstack)).and_return(instance_double(Mixlib::ShellOut, run_command: answer)) }

    def loaded?(ports: ['5900-6079', 5672], sources: %w(10.0.0.10 10.1.0.0/16))
      described_class.loaded?(ports, sources)
    end

    it('knows the table as nft lists it') { expect(loaded?).to be(true) }
    it('sees another port') { expect(loaded?(ports: [5672])).to be(false) }
    it('sees another address') { expect(loaded?(sources: %w(10.0.0.10 10.1.0.0/16 fd00::1))).to be(false) }

    context 'without one of its rules' do
      let(:rules) { 3 }

      it('is not loaded') { expect(loaded?).to be(false) }
    end

    context 'without the table' do
      let(:answer) { instance_double(Mixlib::ShellOut, error?: true) }

      it('is not loaded') { expect(loaded?).to be(false) }
    end
  end
end
