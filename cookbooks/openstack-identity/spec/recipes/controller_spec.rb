# frozen_string_literal: true

RSpec.describe 'openstack-identity::controller' do
  include_context 'with a controller'
  step_into :openstack_config

  it 'connects Keystone to its database and to memcached' do
    expect(chef_run).to render_file('/etc/keystone/keystone.conf')
      .with_content(%r{^connection = mysql\+pymysql://keystone:db_passwords-keystone-password@192\.0\.2\.10:3306/keystone$})
      .with_content(/^memcache_servers = 192\.0\.2\.10:11211$/)
  end

  it 'listens at the node\'s own address' do
    expect(chef_run).to create_openstack_uwsgi('/etc/keystone/keystone-uwsgi.ini').with(bind: '192.0.2.10:5000', unit: 'keystone', options: { 'lazy-apps' => false })
  end

  it 'lets Keystone generate its keys if the data bag has none' do
    expect(chef_run).to create_openstack_keystone_keys('fernet').with(keys: nil)
    expect(chef_run).to create_openstack_keystone_keys('credential').with(keys: nil)
  end

  context 'with keys in the data bag' do
    before do
      [Chef::Recipe, Chef::Resource].each do |context|
        allow_any_instance_of(context).to receive(:data_bag_item) do |_, bag, item|
          bag == 'keystone_keys' ? { 'keys' => { '0' => "#{item} staged", **encrypting(item) } } : { item => 'password' }
        end
      end
    end

    def encrypting(item)
      { '10' => item }
    end

    it 'uses them' do
      expect(chef_run).to create_openstack_keystone_keys('fernet').with(keys: { 0 => 'fernet staged', 10 => 'fernet' })
    end

    it 'requires one that encrypts' do
      allow(self).to receive(:encrypting).and_return({})
      expect { chef_run }.to raise_error(/data bag keystone_keys, item fernet: only keys with a number above 0 encrypt, and it has none/)
    end

    it 'uses those of its zone' do
      [Chef::Recipe, Chef::Resource].each do |context|
        allow_any_instance_of(context).to receive(:data_bag).with('keystone_keys').and_return(%w(fernet-_default fernet-south))
      end
      expect(chef_run).to create_openstack_keystone_keys('fernet').with(keys: { 0 => 'fernet-_default staged', 10 => 'fernet-_default' })
    end
  end

  context 'with several controllers' do
    default_attributes['openstack']['ha'] = { 'address' => '192.0.2.9', 'members' => 'fauxhai.local=192.0.2.10 two=192.0.2.11' }

    it 'requires keys in the data bag' do
      expect { chef_run }.to raise_error(/data bag keystone_keys, item fernet: field keys is missing/)
    end
  end

  it 'waits until Keystone listens' do
    expect(chef_run).to start_openstack_service('keystone').with(wait: true)
  end

  context 'with TLS' do
    default_attributes['openstack']['tls']['mode'] = 'public'

    it 'has a public endpoint over TLS, which works before the catalog names it' do
      urls = { 'public' => 'https://192.0.2.10:13000/v3', 'internal' => 'http://192.0.2.10:5000/v3', 'admin' => 'http://192.0.2.10:5000/v3' }
      expect(chef_run).to create_openstack_frontends('public').with(services: %w(identity))
      expect(chef_run).to create_openstack_identity_bootstrap('admin').with(endpoints: urls)
      expect(chef_run).to render_file('/etc/keystone/keystone.conf').with_content("[oslo_middleware]\nenable_proxy_headers_parsing = true\n")
    end
  end

  it 'bootstraps the admin and Keystone\'s own endpoints' do
    urls = %w(public internal admin).to_h { |interface| [interface, 'http://192.0.2.10:5000/v3'] }
    expect(chef_run).to create_openstack_identity_bootstrap('admin').with(password: 'user_passwords-admin-password', endpoints: urls)
  end
end
