# frozen_string_literal: true

require_relative '../cloud'

RSpec.describe 'openstack-resources: networks' do
  include_context 'with a cloud'

  let(:public_network) do
    { 'id' => 'n1', 'name' => 'public', 'project_id' => 'id-admin', 'router:external' => true, 'shared' => false, 'mtu' => 1500,
      'provider:network_type' => 'flat', 'provider:physical_network' => 'physnet1', 'provider:segmentation_id' => nil }
  end
  let(:subnet) do
    { 'id' => 's1', 'name' => 'demo', 'project_id' => 'id-demo', 'cidr' => '192.168.100.0/24', 'gateway_ip' => '192.168.100.1', 'enable_dhcp' => true,
      'allocation_pools' => [{ 'start' => '192.168.100.2', 'end' => '192.168.100.254' }], 'dns_nameservers' => [] }
  end
  let(:router) { { 'id' => 'r1', 'name' => 'demo', 'project_id' => 'id-demo', 'external_gateway_info' => { 'network_id' => 'n1' } } }
  let(:ports) { [{ 'fixed_ips' => [{ 'subnet_id' => 's1' }] }] }
  let(:neutron) do
    { '/v2.0/networks' => [public_network].compact, '/v2.0/subnets' => [subnet].compact, '/v2.0/routers' => [router].compact, '/v2.0/ports' => ports }
  end

  describe 'openstack_network' do
    step_into :openstack_network

    recipe do
      openstack_network 'public' do
        external true
        provider_type 'flat'
        physical_network 'physnet1'
      end
    end

    it_behaves_like 'up to date'

    it 'is another network than one of the same name in another project' do
      public_network['project_id'] = 'id-demo'
      chef_run
      expect(changes).to eq(
        [[:post, '/v2.0/networks', { network: { 'router:external' => true, 'shared' => false, 'name' => 'public', 'project_id' => 'id-admin',
                                                'provider:network_type' => 'flat', 'provider:physical_network' => 'physnet1' } }]]
      )
    end

    it 'updates what Neutron can change' do
      public_network['shared'] = true
      chef_run
      expect(changes).to eq([[:put, '/v2.0/networks/n1', { network: { 'router:external' => true, 'shared' => false } }]])
    end

    it 'says what Neutron cannot change' do
      public_network['provider:physical_network'] = 'physnet2'
      expect { chef_run }.to raise_error(/network public: Neutron cannot change/)
    end

    it 'reports several of the same name' do
      neutron['/v2.0/networks'] << public_network.merge('id' => 'n2')
      expect { chef_run }.to raise_error(/2 networks in admin have the name public: n1, n2/)
    end
  end

  describe 'openstack_subnet' do
    step_into :openstack_subnet

    recipe do
      openstack_subnet 'demo' do
        project 'demo'
        network 'public'
        cidr '192.168.100.0/24'
      end
    end

    it_behaves_like 'up to date'

    context 'without the subnet' do
      let(:subnet) { nil }

      it 'creates it in the network, which may belong to another project' do
        chef_run
        expect(changes).to eq(
          [[:post, '/v2.0/subnets', { subnet: { 'enable_dhcp' => true, 'dns_nameservers' => [], 'name' => 'demo', 'network_id' => 'n1',
                                                'project_id' => 'id-demo', 'cidr' => '192.168.100.0/24', 'ip_version' => 4 } }]]
        )
      end
    end

    context 'with another CIDR' do
      before { subnet['cidr'] = '192.168.99.0/24' }

      it 'replaces it, and gives the routers a gateway in the new one' do
        ports.replace([{ 'id' => 'p1', 'device_owner' => 'network:router_gateway', 'device_id' => 'r1' }])
        chef_run
        expect(changes.map { |verb, path, body| [verb, path, body&.dig(:router, :external_gateway_info)] }).to eq(
          [[:put, '/v2.0/routers/r1', nil], [:delete, '/v2.0/subnets/s1', nil], [:post, '/v2.0/subnets', nil],
           [:put, '/v2.0/routers/r1', { network_id: 'n1' }]]
        )
      end

      it 'names the ports that would lose their address' do
        ports.replace([{ 'id' => 'p1', 'device_owner' => 'network:router_gateway', 'device_id' => 'r1' },
                       { 'id' => 'p2', 'device_owner' => 'network:floatingip', 'device_id' => 'f1' }])
        expect { chef_run }.to raise_error(%r{cannot change its CIDR 192.168.99.0/24; delete its ports first: p2\z})
        expect(changes).to eq([])
      end
    end

    context 'with addresses that Neutron writes in another way' do
      recipe do
        openstack_subnet 'demo' do
          project 'demo'
          network 'public'
          cidr '2001:DB8:0::1/64'
          gateway '2001:DB8::0:1'
          dns %w(2001:DB8::53)
          pools [{ start: '2001:DB8::A', end: '2001:DB8::F' }]
        end
      end

      before do
        subnet.merge!('cidr' => '2001:db8::/64', 'gateway_ip' => '2001:db8::1', 'dns_nameservers' => %w(2001:db8::53),
                      'allocation_pools' => [{ 'start' => '2001:db8::a', 'end' => '2001:db8::f' }])
      end

      it_behaves_like 'up to date'
    end

    context 'without a gateway, and with a pool' do
      recipe do
        openstack_subnet 'demo' do
          project 'demo'
          network 'public'
          cidr '192.168.100.0/24'
          gateway false
          pools [{ start: '192.168.100.9', end: '192.168.100.20' }]
        end
      end

      it 'changes both' do
        chef_run
        expect(changes).to match([[:put, '/v2.0/subnets/s1', { subnet: include(
          'gateway_ip' => nil, 'allocation_pools' => [{ 'start' => '192.168.100.9', 'end' => '192.168.100.20' }]
        ) }]])
      end
    end
  end

  describe 'openstack_router' do
    step_into :openstack_router

    recipe do
      openstack_router 'demo' do
        project 'demo'
        external_network 'public'
        subnets %w(demo)
      end
    end

    it_behaves_like 'up to date'

    context 'without gateway and interface' do
      let(:ports) { [] }

      before { router['external_gateway_info'] = nil }

      it 'adds both' do
        chef_run
        expect(changes).to eq([[:put, '/v2.0/routers/r1', { router: { external_gateway_info: { network_id: 'n1' } } }],
                               [:put, '/v2.0/routers/r1/add_router_interface', { subnet_id: 's1' }]])
      end
    end

    it 'names the resource that creates what is missing' do
      public_network['name'] = 'other'
      router['external_gateway_info'] = nil
      expect { chef_run }.to raise_error(/network public not found; create it first, for example with the resource openstack_network\z/)
    end
  end

  describe 'openstack_security_group' do
    step_into :openstack_security_group

    let(:group_rules) do
      [{ 'id' => '1', 'direction' => 'egress', 'ethertype' => 'IPv4' },
       { 'id' => '2', 'direction' => 'ingress', 'ethertype' => 'IPv4', 'protocol' => 'tcp', 'port_range_min' => 22, 'port_range_max' => 22,
         'remote_ip_prefix' => '0.0.0.0/0' }]
    end
    let(:neutron) { { '/v2.0/security-groups' => [{ 'id' => 'g1', 'name' => 'default', 'project_id' => 'id-demo', 'security_group_rules' => group_rules }] } }

    recipe do
      openstack_security_group 'default' do
        project 'demo'
        rules [{ protocol: 'tcp', port: 22 }, { protocol: 'tcp', port: '8000-8080', remote: '192.0.2.0/24' }]
      end
    end

    it 'creates the missing rules and keeps others' do
      chef_run
      rule = { 'direction' => 'ingress', 'ethertype' => 'IPv4', 'protocol' => 'tcp', 'port_range_min' => 8000, 'port_range_max' => 8080,
               'remote_ip_prefix' => '192.0.2.0/24', 'security_group_id' => 'g1' }
      expect(changes).to eq([[:post, '/v2.0/security-group-rules', { security_group_rule: rule }]])
    end

    context 'with rules that Neutron writes in another way' do
      let(:group_rules) do
        [{ 'id' => '3', 'direction' => 'ingress', 'ethertype' => 'IPv4', 'protocol' => '112' },
         { 'id' => '4', 'direction' => 'ingress', 'ethertype' => 'IPv6', 'protocol' => 'udp', 'remote_ip_prefix' => '2001:db8::/32' }]
      end

      recipe do
        openstack_security_group 'default' do
          project 'demo'
          rules [{ protocol: 112, ethertype: 'ipv4' }, { protocol: 'UDP', remote: '2001:DB8:0::/32' }]
        end
      end

      it_behaves_like 'up to date'
    end

    context 'with purge' do
      recipe do
        openstack_security_group 'default' do
          project 'demo'
          rules [{ protocol: 'tcp', port: 22, remote: '0.0.0.0/0' }]
          purge true
        end
      end

      it 'deletes other rules' do
        chef_run
        expect(changes).to eq([[:delete, '/v2.0/security-group-rules/1']])
      end
    end

    context 'with a misspelled key' do
      recipe do
        openstack_security_group('default') do
          project 'demo'
          rules [{ proto: 'tcp' }]
        end
      end

      it 'names it' do
        expect { chef_run }.to raise_error(ArgumentError, /unknown key proto; known keys are direction, ethertype, protocol, port, remote/)
      end
    end
  end
end
