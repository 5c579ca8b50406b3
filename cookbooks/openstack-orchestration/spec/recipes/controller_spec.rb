# frozen_string_literal: true

RSpec.describe 'openstack-orchestration::controller' do
  include_context 'with a controller'
  step_into :openstack_config

  let(:conf) { '/etc/heat/heat.conf' }

  it 'connects to the database and checks tokens at Keystone' do
    expect(chef_run).to render_file(conf)
      .with_content(%r{^connection = mysql\+pymysql://heat:db_passwords-heat-password@192\.0\.2\.10:3306/heat$})
      .with_content(/^\[keystone_authtoken\]\n(.+\n)*password = service_passwords-heat-password$/)
  end

  it 'logs in as trustee without a project' do
    expect(chef_run).to render_file(conf).with_content { |text| expect(text[/^\[trustee\]\n(.+\n)*/]).to include('username = heat').and(satisfy { |part| !part.include?('project') }) }
  end

  it 'encrypts with a key of 32 characters that is not the secret itself' do
    expect(chef_run).to render_file(conf).with_content(/^auth_encryption_key = \h{32}$/)
  end

  it 'tells instances the public URL, and needs no CloudFormation API' do
    expect(chef_run).to render_file(conf)
      .with_content("[clients_heat]\nendpoint_type = publicURL").with_content('default_deployment_signal_transport = HEAT_SIGNAL')
  end

  it 'is registered in Keystone' do
    urls = %w(public internal admin).to_h { |interface| [interface, 'http://192.0.2.10:8004/v1/%(project_id)s'] }
    expect(chef_run).to create_openstack_registration('heat').with(service_type: 'orchestration', endpoints: urls)
  end

  it 'creates the domain of the stacks\' users and the roles' do
    expect(chef_run).to create_openstack_orchestration_domain('heat').with(admin: 'heat_domain_admin', password: 'service_passwords-heat_domain_admin-password')
    expect(chef_run).to create_openstack_role('heat_stack_user')
    expect(chef_run).to create_openstack_role('heat_stack_owner')
  end

  it 'runs the API and the engine with that configuration' do
    expect(chef_run).to create_openstack_uwsgi('/etc/heat/heat-api-uwsgi.ini').with(unit: 'heat-api', rabbitmq: true)
    expect(chef_run).to start_openstack_service('heat-api').with(ports: [8004], config: [conf, '/etc/heat/heat-api-uwsgi.ini'])
    expect(chef_run).to start_openstack_service('heat-engine').with(config: [conf])
  end

  it 'makes the recipes of the database and of Horizon on this node do their part' do
    expect(chef_run.node['openstack']['db']['databases']).to include('heat' => 'heat')
    expect(chef_run.node['openstack']['dashboard']['plugins']).to include('heat' => 'python3-heat-dashboard')
  end
end
