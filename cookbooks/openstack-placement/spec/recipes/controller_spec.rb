# frozen_string_literal: true

RSpec.describe 'openstack-placement::controller' do
  include_context 'with a controller'
  step_into :openstack_config

  it 'connects to the database and checks tokens at Keystone' do
    expect(chef_run).to render_file('/etc/placement/placement.conf')
      .with_content(%r{^connection = mysql\+pymysql://placement:db_passwords-placement-password@192\.0\.2\.10:3306/placement$})
      .with_content(/^\[keystone_authtoken\]\n(.+\n)*password = service_passwords-placement-password$/)
  end

  it 'is registered in Keystone' do
    urls = %w(public internal admin).to_h { |interface| [interface, 'http://192.0.2.10:8778'] }
    expect(chef_run).to create_openstack_registration('placement').with(service_type: 'placement', endpoints: urls)
  end

  it 'runs with that configuration' do
    expect(chef_run).to start_openstack_service('placement-api').with(ports: [8778], config: include('/etc/placement/placement.conf'))
  end

  context 'with an option from the environment' do
    override_attributes['openstack']['placement']['conf']['DEFAULT']['debug'] = true

    it 'writes it' do
      expect(chef_run).to render_file('/etc/placement/placement.conf').with_content(/^\[DEFAULT\]\n(.+\n)*debug = true$/)
    end
  end
end
