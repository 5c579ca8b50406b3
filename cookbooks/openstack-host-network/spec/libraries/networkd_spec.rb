# frozen_string_literal: true

RSpec.describe OpenstackHostNetwork::Networkd do
  let(:interfaces) do
    {
      'lan0' => { 'kind' => 'ethernet', 'mac' => '52:54:00:00:00:01' },
      'lan1' => { 'kind' => 'ethernet' },
      'bond0' => { 'kind' => 'bond', 'interfaces' => %w(lan0 lan1), 'mode' => '802.3ad', 'lacp_rate' => 'fast', 'mtu' => 9000 },
      'storage' => { 'kind' => 'vlan', 'link' => 'bond0', 'id' => 100, 'addresses' => %w(10.1.0.11/24 fd00::11/64),
                     'gateway' => '10.1.0.1', 'routes' => [{ 'to' => '10.2.0.0/16', 'via' => '10.1.0.2', 'metric' => 50 }] },
      'br0' => { 'kind' => 'bridge', 'dhcp4' => true },
    }
  end

  def file(name)
    described_class.files(interfaces).fetch("/etc/systemd/network/01-host-network-#{name}")
                   .delete_prefix(described_class::HEAD)
  end

  it 'writes a .network file for each interface, and a .netdev file for each that is not a card' do
    names = described_class.files(interfaces).keys.map { |path| path.delete_prefix(described_class::PREFIX) }
    expect(names).to eq %w(lan0.network lan1.network bond0.netdev bond0.network storage.netdev storage.network br0.netdev br0.network)
  end

  it 'makes a bond of its members' do
    expect(file('bond0.netdev')).to eq <<~FILE
      [NetDev]
      Name=bond0
      Kind=bond
      MACAddress=none

      [Bond]
      Mode=802.3ad
      MIIMonitorSec=100ms
      LACPTransmitRate=fast
    FILE
    expect(file('lan1.network')).to eq "[Match]\nName=lan1\n\n[Network]\nBond=bond0\nDHCP=no\nLinkLocalAddressing=no\n"
  end

  it 'puts a VLAN on its link' do
    expect(file('storage.netdev')).to eq "[NetDev]\nName=storage\nKind=vlan\n\n[VLAN]\nId=100\n"
    expect(file('bond0.network')).to eq <<~FILE
      [Match]
      Name=bond0

      [Link]
      MTUBytes=9000

      [Network]
      VLAN=storage
      DHCP=no
      LinkLocalAddressing=no
    FILE
  end

  it 'gives addresses, a gateway and routes' do
    expect(file('storage.network')).to eq <<~FILE
      [Match]
      Name=storage

      [Network]
      Address=10.1.0.11/24
      Address=fd00::11/64
      Gateway=10.1.0.1
      DHCP=no
      ConfigureWithoutCarrier=yes

      [Route]
      Destination=10.2.0.0/16
      Gateway=10.1.0.2
      Metric=50
    FILE
  end

  it 'asks DHCP' do
    expect(file('br0.network')).to include "DHCP=ipv4\n"
  end

  it 'names a card by its own MAC address, and keeps its other names' do
    expect(described_class.link('lan0', '52:54:00:00:00:01')).to end_with <<~FILE
      [Match]
      PermanentMACAddress=52:54:00:00:00:01

      [Link]
      Name=lan0
      AlternativeNamesPolicy=database onboard slot path
    FILE
  end
end
