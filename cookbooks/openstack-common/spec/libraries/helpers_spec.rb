# frozen_string_literal: true

RSpec.describe OpenstackCommon::Helpers do
  subject(:recipe) { Class.new { include OpenstackCommon::Helpers }.new }

  let(:node) { Chef::Node.new.tap { |node| node.name('web') } }
  let(:passwords) { Hash.new { |_, (bag, item)| { item => "#{bag}-#{item}" } } }

  before do
    node.automatic['ipaddress'] = '192.0.2.1'
    node.default['openstack'] = { 'region' => 'RegionOne', 'start_timeout' => 1 }
    allow(recipe).to receive(:node).and_return(node)
    allow(recipe).to receive(:data_bag_item) { |bag, item| passwords[[bag, item]] }
  end

  def found(name, address)
    Chef::Node.new.tap { |node| node.name(name) && node.automatic['ipaddress'] = address }
  end

  describe '#openstack_host' do
    it 'uses the attribute' do
      node.default['openstack']['endpoints']['internal']['identity']['host'] = 'keystone.example.com'
      expect(recipe.openstack_host('identity')).to eq('keystone.example.com')
    end

    it 'uses the attribute of the database, which has no interface' do
      node.default['openstack']['endpoints']['db']['host'] = 'db.example.com'
      expect(recipe.openstack_host('db')).to eq('db.example.com')
    end

    it 'is this node if it runs the service' do
      node.automatic['recipes'] = ['openstack-identity::controller']
      node.default['openstack']['address'] = '198.51.100.1'
      expect(recipe.openstack_host('identity')).to eq('198.51.100.1')
    end

    it 'is the node that a search in the environment finds; searches only once' do
      expect(recipe).to receive(:search).once
                                        .with(:node, 'recipes:openstack-identity\:\:controller AND chef_environment:_default').and_return([found('a', '192.0.2.9')])
      expect([recipe.openstack_host('identity'), recipe.openstack_host('identity', 'public')]).to eq(%w(192.0.2.9 192.0.2.9))
    end

    it 'searches once for services of the same recipe' do
      expect(recipe).to receive(:search).once.and_return([found('a', '192.0.2.9')])
      expect([recipe.openstack_host('compute'), recipe.openstack_host('novnc')]).to eq(%w(192.0.2.9 192.0.2.9))
    end

    it 'names the service and the remedy if no node runs it' do
      allow(recipe).to receive(:search).and_return([])
      expect { recipe.openstack_host('image') }
        .to raise_error('image: recipe[openstack-image::controller] is on no node of environment _default; put it on exactly one node, ' \
                        'or set openstack.endpoints.internal.image.host')
    end

    it 'fails if several nodes run the service' do
      allow(recipe).to receive(:search).and_return([found('b', '192.0.2.8'), found('a', '192.0.2.9')])
      expect { recipe.openstack_host('image') }.to raise_error(/is on a and b of environment/)
    end
  end

  context 'with several controllers' do
    before do
      node.default['openstack']['ha'] = { 'address' => '192.0.2.9', 'members' => 'web=192.0.2.1 two=192.0.2.2' }
      allow(recipe).to receive(:search).and_return([found('two', '192.0.2.2')])
    end

    it 'reaches their APIs at the virtual address' do
      expect(recipe.openstack_url('identity')).to eq('http://192.0.2.9:5000/v3')
      node.automatic['recipes'] = ['openstack-identity::controller']
      expect(recipe.openstack_host('identity')).to eq('192.0.2.9')
    end

    it 'reaches the database by HAProxy of the node if it is one of them, else at the virtual address' do
      expect(recipe.openstack_host('db')).to eq('127.0.0.1')
      node.name('compute')
      node.run_state.delete(:openstack_members)
      expect(recipe.openstack_host('db')).to eq('192.0.2.9')
    end

    it 'names all memcached servers' do
      expect(recipe.openstack_memcached_servers).to eq(%w(192.0.2.1:11211 192.0.2.2:11211))
    end

    it 'reaches a service that only another node runs at its own address' do
      allow(recipe).to receive(:search).and_return([found('store', '192.0.2.50')])
      expect(recipe.openstack_host('object_storage')).to eq('192.0.2.50')
    end

    it 'reaches memcached through HAProxy of the node with TLS between the nodes' do
      node.default['openstack']['tls']['mode'] = 'all'
      expect(recipe.openstack_memcached_servers).to eq(%w(127.0.0.1:11212 127.0.0.1:11213))
    end
  end

  context 'with TLS between the nodes' do
    before do
      node.default['openstack']['tls']['mode'] = 'all'
      node.automatic['recipes'] = %w(identity memcached).map { |name| "openstack-#{name}::controller" }
    end

    it 'reaches APIs over HTTPS at the same port, and knows their CA' do
      expect(recipe.openstack_url('identity')).to eq('https://192.0.2.1:5000/v3')
      expect(recipe.openstack_url('identity', 'public')).to eq('https://192.0.2.1:13000/v3')
      expect(recipe.keystone_authtoken('nova')).to include('cafile' => '/etc/openstack/internal-ca.pem', 'memcached_servers' => '127.0.0.1:11211')
    end

    it 'lets services listen where only HAProxy reaches them; not those without HTTP' do
      expect(%w(identity memcached db mq).map { |name| recipe.openstack_bind_address(name) }).to eq(%w(127.0.0.1 127.0.0.1 192.0.2.1 192.0.2.1))
    end
  end

  describe '#openstack_has?' do
    it 'is true if an attribute names the host, or a node runs the service' do
      node.default['openstack']['endpoints']['internal']['block_storage']['host'] = 'cinder.example.com'
      expect(recipe.openstack_has?('block_storage')).to be(true)
      allow(recipe).to receive(:search).and_return([found('a', '192.0.2.9')])
      expect(recipe.openstack_has?('ceph')).to be(true)
    end

    it 'is false if no node runs it' do
      allow(recipe).to receive(:search).and_return([])
      expect(recipe.openstack_has?('ceph')).to be(false)
    end
  end

  describe 'URLs' do
    before { node.default['openstack']['endpoints']['internal'] = Hash.new { { 'host' => '192.0.2.10' } } }
    before { %w(identity network ovn_sb db mq).each { |name| node.default['openstack']['endpoints']['internal'][name]['host'] = '192.0.2.10' } }

    it 'contains scheme, port and path of the service' do
      expect(recipe.openstack_url('identity')).to eq('http://192.0.2.10:5000/v3')
    end

    it 'is overridden by the attributes of the interface' do
      node.default['openstack']['endpoints']['public']['identity'] = { 'scheme' => 'https', 'host' => 'cloud', 'port' => '443', 'path' => '/identity' }
      expect(recipe.openstack_endpoints('identity')).to eq(
        'public' => 'https://cloud:443/identity', 'internal' => 'http://192.0.2.10:5000/v3', 'admin' => 'http://192.0.2.10:5000/v3'
      )
    end

    it 'is HTTPS on another port for public endpoints with TLS, but not for the services themselves' do
      node.default['openstack']['tls']['mode'] = 'public'
      expect(recipe.openstack_endpoints('identity')).to eq(
        'public' => 'https://192.0.2.10:13000/v3', 'internal' => 'http://192.0.2.10:5000/v3', 'admin' => 'http://192.0.2.10:5000/v3'
      )
      expect(recipe.openstack_port('db', 'public')).to eq(3306)
    end

    it 'has no slashes for OVSDB' do
      expect(recipe.openstack_url('ovn_sb')).to eq('tcp:192.0.2.10:6642')
    end

    it 'escapes passwords' do
      passwords[%w(db_passwords nova)] = { 'nova' => 'p@ss/w%rd' }
      passwords[%w(user_passwords openstack)] = { 'openstack' => 'a:b#c' }
      expect(recipe.db_url('nova', 'nova_api')).to eq('mysql+pymysql://nova:p%40ss%2Fw%25rd@192.0.2.10:3306/nova_api')
      expect(recipe.transport_url).to eq('rabbit://openstack:a%3Ab%23c@192.0.2.10:5672/openstack')
    end

    it 'keeps queues while RabbitMQ or a service is off' do
      expect(recipe.openstack_rabbit_section).to eq('oslo_messaging_rabbit' => { 'amqp_durable_queues' => true })
    end

    it 'knows all brokers and databases of several controllers' do
      allow(recipe).to receive(:openstack_servers).and_return(%w(192.0.2.11 192.0.2.12).map { |address| OpenstackCommon::Members::Member.new('c', address) })
      passwords[%w(user_passwords openstack)] = { 'openstack' => 'p' }
      expect(recipe.transport_url).to eq('rabbit://openstack:p@192.0.2.11:5672,openstack:p@192.0.2.12:5672/openstack-cluster')
      expect(recipe.openstack_url('ovn_sb')).to eq('tcp:192.0.2.11:6642,tcp:192.0.2.12:6642')
      expect(recipe.openstack_rabbit_section['oslo_messaging_rabbit']).to include('rabbit_quorum_queue' => true, 'heartbeat_timeout_threshold' => 10)
    end

    it 'escapes $ in passwords for oslo.config' do
      passwords[%w(service_passwords nova)] = { 'nova' => 'pa$word' }
      expect(recipe.keystone_client_section('nova')).to include('username' => 'nova', 'password' => 'pa\\$word')
    end
  end

  describe '#openstack_certificate' do
    it 'is the item with the name of the node' do
      passwords[%w(certificates web)] = { 'certificate' => 'C', 'key' => 'K', 'ca' => '' }
      expect(recipe.openstack_certificate).to eq('certificate' => 'C', 'key' => 'K', 'ca' => '')
    end

    it 'says which item is missing' do
      allow(recipe).to receive(:data_bag_item).and_raise(Net::HTTPClientException.new('404 "Not Found"', nil))
      expect { recipe.openstack_certificate }.to raise_error(/certificates has no item web .*404/)
    end
  end

  describe '#openstack_password' do
    it 'reads each item once per run' do
      recipe.openstack_password('db_passwords', 'nova')
      expect(recipe).not_to receive(:data_bag_item)
      expect(recipe.openstack_password('db_passwords', 'nova')).to eq('db_passwords-nova')
    end

    it 'says which field is missing' do
      passwords[%w(secrets horizon)] = { 'password' => 'x' }
      expect { recipe.openstack_password('secrets', 'horizon') }.to raise_error(/bag secrets, item horizon: field horizon is missing/)
    end

    it 'says which item is missing' do
      allow(recipe).to receive(:data_bag_item).and_raise(Net::HTTPClientException.new('404 "Not Found"', nil))
      expect { recipe.openstack_password('secrets', 'horizon') }.to raise_error(/secrets has no item horizon .*404/)
    end
  end
end
