# frozen_string_literal: true

RSpec.describe 'openstack-database::controller' do
  include_context 'with a controller'
  step_into :openstack_config

  it 'listens at the node\'s own address' do
    expect(chef_run).to render_file('/etc/mysql/mariadb.conf.d/99-openstack.cnf').with_content(/^bind-address = 192\.0\.2\.10$/)
  end

  it 'waits for MariaDB before it creates the databases' do
    expect(chef_run).to start_openstack_service('mariadb').with(ports: [3306], wait: true)
  end

  it 'creates the database of each service, with its user' do
    databases = chef_run.find_resources(:openstack_database).to_h { |database| [database.name, database.user] }
    expect(databases).to eq('keystone' => 'keystone', 'glance' => 'glance', 'placement' => 'placement', 'nova' => 'nova',
                            'nova_api' => 'nova', 'nova_cell0' => 'nova', 'neutron' => 'neutron')
  end

  it 'reads each password from its data bag' do
    expect(chef_run).to create_openstack_database('nova_api').with(password: 'db_passwords-nova-password')
  end
end
