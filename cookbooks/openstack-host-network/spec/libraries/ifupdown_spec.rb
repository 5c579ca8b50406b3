# frozen_string_literal: true

require 'fileutils'

RSpec.describe OpenstackHostNetwork::Ifupdown do
  around { |example| Dir.mktmpdir { |root| (@root = root) && example.run } }

  let(:host) { OpenstackHostNetwork::Host.new(@root) }

  def write(path, text)
    FileUtils.mkdir_p(File.dirname(File.join(@root, path)))
    File.write(File.join(@root, path), text)
  end

  def own(interfaces)
    described_class.files(interfaces, host, []).fetch(described_class::OWN)
  end

  it 'makes a bond and a VLAN with `ip`, and deletes them afterwards' do
    text = own('lan0' => { 'kind' => 'ethernet' },
               'bond0' => { 'kind' => 'bond', 'interfaces' => %w(lan0), 'mode' => '802.3ad', 'lacp_rate' => 'fast' },
               'storage' => { 'kind' => 'vlan', 'link' => 'bond0', 'id' => 100, 'mtu' => 1400, 'addresses' => %w(10.1.0.11/24) })
    expect(text).to eq <<~FILE
      # Written by Chef: openstack_host_network

      auto lan0
      iface lan0 inet manual
          up ip link set dev lan0 up

      auto bond0
      iface bond0 inet manual
          pre-up ip link show dev bond0 >/dev/null 2>&1 || ip link add dev bond0 type bond mode 802.3ad miimon 100 lacp_rate fast
          pre-up ip link set dev lan0 down
          pre-up ip link set dev lan0 master bond0
          pre-up ip link set dev lan0 up
          up ip link set dev bond0 up
          post-down ip link delete dev bond0

      auto storage
      iface storage inet manual
          pre-up ip link show dev storage >/dev/null 2>&1 || ip link add link bond0 name storage type vlan id 100
          pre-up ip link set dev storage mtu 1400
          up ip link set dev storage up
          post-down ip link delete dev storage
      iface storage inet static
          address 10.1.0.11/24
    FILE
  end

  it 'adds routes once the addresses are there' do
    text = own('eth0' => { 'kind' => 'ethernet', 'addresses' => %w(10.0.0.1/24 fd00::1/64), 'gateway' => '10.0.0.254',
                           'routes' => [{ 'to' => 'fd01::/16', 'via' => 'fd00::2', 'metric' => 5 }] })
    expect(text).to end_with <<~FILE
      iface eth0 inet static
          address 10.0.0.1/24
      iface eth0 inet6 static
          address fd00::1/64
          up ip route replace default via 10.0.0.254 dev eth0
          up ip -6 route replace fd01::/16 via fd00::2 dev eth0 metric 5
    FILE
  end

  it 'asks DHCP' do
    expect(own('br0' => { 'kind' => 'bridge', 'dhcp4' => true })).to end_with "iface br0 inet dhcp\n"
  end

  it 'takes what other files say of the interfaces out of them, and nothing else' do
    write('/etc/network/interfaces', <<~FILE)
      # The loopback interface
      auto lo eth0
      iface lo inet loopback
      allow-hotplug eth0
      iface eth0 inet dhcp
        metric 5

      # another one
      iface eth1 inet manual
      source /etc/network/interfaces.d/*
    FILE
    write('/etc/network/interfaces.d/cloud', "auto eth0\niface eth0 inet6 auto\n")
    files = described_class.files({}, host, %w(eth0))
    expect(files['/etc/network/interfaces.d/cloud']).to eq ''
    expect(files['/etc/network/interfaces']).to eq <<~FILE
      # The loopback interface
      auto lo
      iface lo inet loopback

      # another one
      iface eth1 inet manual
      source /etc/network/interfaces.d/*
    FILE
  end

  it 'lets ifupdown read its own file' do
    write('/etc/network/interfaces', "auto lo\n")
    expect(described_class.files({}, host, [])['/etc/network/interfaces']).to eq "auto lo\n\nsource /etc/network/interfaces.d/*\n"
  end
end
