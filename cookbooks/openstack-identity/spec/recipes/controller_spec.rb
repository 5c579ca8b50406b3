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
    expect(chef_run).to create_openstack_uwsgi('/etc/keystone/keystone-uwsgi.ini').with(bind: '192.0.2.10:5000', unit: 'keystone')
  end

  it 'creates the token keys only once' do
    expect(chef_run).to run_execute('keystone-manage fernet_setup').with(creates: '/etc/keystone/fernet-keys/0')
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
