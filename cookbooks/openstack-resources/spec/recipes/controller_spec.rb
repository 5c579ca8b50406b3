# frozen_string_literal: true

RSpec.describe 'openstack-resources::controller' do
  include_context 'with a controller'
  default_attributes['openstack']['network']['datapath_type'] = 'netdev'

  lab = JSON.parse(File.read(File.join(__dir__, '../../../../environments/lab.json'))).dig('default_attributes', 'openstack', 'resources')

  def declared
    chef_run.resource_collection.map(&:to_s)
  end

  it 'creates nothing by default' do
    expect(declared).to be_empty
  end

  context 'with quotas' do
    default_attributes['openstack']['resources']['quotas'] = { 'web' => { 'compute' => { 'cores' => 4 } }, 'shop' => { 'volume' => { 'gigabytes' => 9 } } }

    it "sets Cinder's at the end of the run" do
      expect(chef_run).to set_openstack_quota('web')
      expect(chef_run.find_resource(:openstack_quota, 'shop').action).to eq([:nothing])
      expect(chef_run.run_context.delayed_actions.map { |delayed| [delayed.resource.to_s, delayed.action] }).to include(['openstack_quota[shop]', :set])
    end
  end

  context 'with the environment of the lab' do
    default_attributes['openstack']['resources'] = lab

    it 'creates each object after those that it needs' do
      expect(declared).to eq(
        %w(openstack_test_image[/var/lib/openstack/test-image.raw] openstack_project[demo] openstack_user[demo]
           openstack_flavor[m1.tiny] openstack_flavor[m1.small] openstack_flavor[m1.medium] openstack_image[test]
           openstack_network[demo] openstack_subnet[demo] openstack_router[demo]) << 'openstack_security_group[demo default]'
      )
    end

    it 'uploads the test image' do
      expect(chef_run).to create_openstack_image('test').with(source: '/var/lib/openstack/test-image.raw', disk_format: 'raw')
    end

    it 'creates a router without a gateway' do
      expect(chef_run.find_resource(:openstack_router, 'demo').external_network).to be_nil
    end

    context 'with an external network' do
      default_attributes['openstack']['network']['external']['cidr'] = '192.0.2.0/24'
      default_attributes['openstack']['network']['external']['pool'] = { 'start' => '192.0.2.100', 'end' => '192.0.2.199' }

      it 'creates it first, and connects the router to it' do
        expect(declared.grep(/network|subnet/)).to eq(
          %w(openstack_network[public] openstack_network[demo] openstack_subnet[public] openstack_subnet[demo])
        )
        expect(chef_run).to create_openstack_network('public').with(external: true, provider_type: 'flat', physical_network: 'physnet1', project: 'admin')
        expect(chef_run).to create_openstack_subnet('public').with(
          cidr: '192.0.2.0/24', gateway: '192.0.2.1', dhcp: false, pools: [{ 'start' => '192.0.2.100', 'end' => '192.0.2.199' }]
        )
        expect(chef_run).to create_openstack_router('demo').with(external_network: 'public', subnets: %w(demo))
      end
    end

    context 'with an external network on a VLAN' do
      default_attributes['openstack']['network']['external']['cidr'] = '192.0.2.0/24'
      default_attributes['openstack']['network']['external']['segmentation_id'] = 7

      it 'creates it there' do
        expect(chef_run).to create_openstack_network('public').with(provider_type: 'vlan', segmentation_id: 7)
      end
    end
  end

  context 'with an object that is null' do
    default_attributes['openstack']['resources']['flavors'] = { 'm1.tiny' => nil, 'm1.big' => { 'ram' => 9 } }

    it 'leaves it out' do
      expect(declared).to eq(%w(openstack_flavor[m1.big]))
    end
  end

  context 'with an unknown property' do
    default_attributes['openstack']['resources']['flavors'] = { 'm1.tiny' => { 'rams' => 1 } }

    it 'names it' do
      expect { chef_run }.to raise_error(ArgumentError, /openstack\.resources\.flavors\.m1\.tiny\.rams: openstack_flavor has no such property; it has .*ram/)
    end
  end

  context 'with an unknown kind' do
    default_attributes['openstack']['resources']['flavor'] = {}

    it 'names it' do
      expect { chef_run }.to raise_error(ArgumentError, /unknown kind flavor; known kinds are projects/)
    end
  end
end
