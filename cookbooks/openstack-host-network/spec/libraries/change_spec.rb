# frozen_string_literal: true

require 'fileutils'

RSpec.describe OpenstackHostNetwork::Change do
  around { |example| Dir.mktmpdir { |root| (@root = root) && example.run } }

  let(:host) { OpenstackHostNetwork::Host.new(@root) }
  let(:interfaces) { { 'lan0' => { 'kind' => 'ethernet', 'mac' => '52:54:00:00:00:01', 'addresses' => %w(10.0.0.1/24) } } }
  let(:change) { described_class.new(interfaces, host) }
  let(:network) { '/etc/systemd/network/01-host-network-' }

  before { allow(host).to receive(:active?).and_return(true) }

  def write(path, text)
    FileUtils.mkdir_p(File.dirname(File.join(@root, path)))
    File.write(File.join(@root, path), text)
  end

  def card(name, mac)
    write('/run/udev/control', '')
    write("/sys/class/net/#{name}/address", "#{mac}\n")
    write("/sys/class/net/#{name}/device/vendor", '')
  end

  def carry_out
    change.staged.each { |path, text| write(path.delete_prefix('files'), text) if path.start_with?('files/') }
  end

  it 'renames a card, now and at boot' do
    card('enp1s0', '52:54:00:00:00:01')
    expect(change).to be_change
    expect(change.staged).to include('renames' => "52:54:00:00:00:01 enp1s0 lan0\n", 'names' => "lan0\n", 'before' => "enp1s0\nlan0\n",
                                     'addresses' => "lan0 10.0.0.1/24\n", 'manager' => "networkd\n")
    expect(change.staged.keys).to include "files#{network}lan0.link"
  end

  it 'lets a bridge have the MAC address of a member' do
    card('lan0', '52:54:00:00:00:01')
    interfaces['br0'] = { 'kind' => 'bridge', 'interfaces' => %w(lan0) }
    expect(change.staged["files#{network}br0.link"]).to end_with "[Match]\nOriginalName=br0\n\n[Link]\nMACAddressPolicy=none\n"
  end

  it 'finds a card of a bond by its own address' do
    card('lan0', '52:54:00:00:00:99')
    write('/sys/class/net/lan0/bonding_slave/perm_hwaddr', "52:54:00:00:00:01\n")
    expect(change.renames).to be_empty
  end

  it 'changes nothing a second time' do
    card('lan0', '52:54:00:00:00:01')
    carry_out
    expect(described_class.new(interfaces, host)).not_to be_change
  end

  it 'makes an interface again that has gone' do
    interfaces.replace('br0' => { 'kind' => 'bridge' })
    carry_out
    expect(described_class.new(interfaces, host)).to be_change
  end

  it 'removes the files of interfaces that are not described any more' do
    card('lan0', '52:54:00:00:00:01')
    write("#{network}br0.netdev", '')
    write("#{described_class::STATE}/names", "lan0\nbr0\n")
    expect(change.staged['paths'].lines).to include "#{network}br0.netdev\n"
    expect(change.staged['before']).to eq "lan0\nbr0\n"
  end

  it 'uses ifupdown where that configures the card' do
    card('lan0', '52:54:00:00:00:01')
    write('/etc/network/interfaces', "iface lan0 inet dhcp\n")
    expect(change.manager).to eq 'ifupdown'
    carry_out
    expect(described_class.new(interfaces, host).manager).to eq 'ifupdown'
  end

  it 'fails if nothing configures the host' do
    card('lan0', '52:54:00:00:00:01')
    allow(host).to receive(:active?).and_return(false)
    expect { change.staged }.to raise_error(/neither systemd-networkd nor ifupdown/)
  end

  it 'fails for a missing card' do
    card('lan0', '52:54:00:00:00:02')
    expect { change.change? }.to raise_error(/no network card has the MAC address 52:54:00:00:00:01 \(lan0\)/)
  end

  it 'waits for the confirmation of an earlier change' do
    %w(switching trying).each do |state|
      write("#{described_class::STATE}/state", "#{state}\n")
      expect(change).to be_underway
    end
    write("#{described_class::STATE}/state", "confirmed\n")
    expect(change).not_to be_underway
  end
end
