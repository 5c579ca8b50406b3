# frozen_string_literal: true

RSpec.describe 'openstack-dashboard::controller' do
  include_context 'with a controller'
  automatic_attributes['fqdn'] = 'controller.example.com'

  let(:settings) { '/etc/openstack-dashboard/local_settings.d/_0100_chef.py' }

  it 'sets the URL of Keystone, and allows only the node\'s own names' do
    expect(chef_run).to render_file(settings)
      .with_content('OPENSTACK_KEYSTONE_URL = "http://192.0.2.10:5000/v3"').with_content(/^ALLOWED_HOSTS = \["192\.0\.2\.10", "controller\.example\.com", /)
  end

  it 'sets a fixed secret key, in a file that is not world-readable' do
    expect(chef_run).to render_file(settings).with_content('SECRET_KEY = "secrets-horizon-password"')
    expect(chef_run).to create_file(settings).with(owner: 'root', group: 'www-data', mode: '0640', sensitive: true)
  end

  it 'redirects / to Horizon, which runs in one interpreter' do
    expect(chef_run).to render_file('/etc/apache2/sites-available/horizon.conf')
      .with_content('RedirectMatch ^/$ /horizon/').with_content('WSGIApplicationGroup %{GLOBAL}').with_content('<VirtualHost 192.0.2.10:80>')
  end

  it 'lets no other site show Horizon in a frame, and does not tell its version' do
    expect(chef_run).to render_file('/etc/apache2/sites-available/horizon.conf')
      .with_content('Header set X-Frame-Options SAMEORIGIN').with_content("Content-Security-Policy \"frame-ancestors 'self'\"").with_content(/^ServerTokens Prod$/)
    expect(chef_run).to create_link('/etc/apache2/mods-enabled/headers.load').with(to: '../mods-available/headers.load')
  end

  it 'keeps the session from scripts and from other sites' do
    expect(chef_run).to render_file(settings).with_content('SESSION_COOKIE_HTTPONLY = True').with_content('SESSION_COOKIE_SAMESITE = "Lax"')
  end

  it 'disables the sites of the packages' do
    %w(000-default default-ssl openstack-dashboard-alias-only).each do |site|
      expect(chef_run).to delete_link("/etc/apache2/sites-enabled/#{site}.conf")
    end
  end

  it 'restarts Apache if one of its files changes' do
    expect(chef_run).to start_openstack_service('apache2').with(config: include(settings, '/etc/apache2/ports.conf', '/etc/apache2/sites-available/horizon.conf'))
  end

  it 'answers over HTTP without TLS' do
    expect(chef_run).not_to render_file('/etc/apache2/sites-available/horizon.conf').with_content('RewriteCond')
    expect(chef_run).not_to render_file(settings).with_content('SECURE')
  end

  context 'with TLS' do
    default_attributes['openstack']['tls']['mode'] = 'public'

    it 'redirects to HTTPS what has not come through HAProxy' do
      expect(chef_run).to render_file('/etc/apache2/sites-available/horizon.conf')
        .with_content('RewriteCond %{HTTP:X-Forwarded-Proto} !=https').with_content('RewriteRule ^ https://%{SERVER_NAME}%{REQUEST_URI} [R=302,L]')
        .with_content('RewriteRule ^/$ https://%{SERVER_NAME}/horizon/ [R=302,L]')
      expect(chef_run).to create_link('/etc/apache2/mods-enabled/rewrite.load')
    end

    it 'sends cookies over TLS only' do
      expect(chef_run).to render_file(settings)
        .with_content('SESSION_COOKIE_SECURE = True').with_content('CSRF_COOKIE_SECURE = True')
        .with_content('SECURE_PROXY_SSL_HEADER = ["HTTP_X_FORWARDED_PROTO", "https"]')
    end
  end

  context 'with a plugin' do
    default_attributes['openstack']['dashboard']['plugins']['heat'] = 'python3-heat-dashboard'

    it 'installs it, and restarts Apache after that' do
      expect(chef_run).to install_openstack_packages('dashboard').with(packages: include('python3-heat-dashboard'))
      expect(chef_run).to start_openstack_service('apache2').with(config: include('/usr/lib/python3/dist-packages/openstack_dashboard/local/enabled'))
    end
  end

  context 'with a setting from the environment' do
    override_attributes['openstack']['dashboard']['conf']['DEFAULT']['SESSION_TIMEOUT'] = 3600

    it 'writes it' do
      expect(chef_run).to render_file(settings).with_content(/^SESSION_TIMEOUT = 3600$/)
    end
  end
end
