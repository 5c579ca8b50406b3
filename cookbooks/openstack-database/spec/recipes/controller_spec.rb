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

  it 'has no cluster' do
    expect(chef_run).not_to render_file('/etc/mysql/mariadb.conf.d/99-openstack.cnf').with_content('wsrep')
    expect(chef_run).not_to start_openstack_service('openstack-galera')
  end

  context 'with encrypted connections' do
    default_attributes['openstack']['tls']['mode'] = 'all'

    before { allow(OpenstackDatabase::Certificate).to receive(:loaded?).and_return(true) }

    it 'restarts for its options and its CA, and not for a renewed certificate' do
      expect(chef_run).to start_openstack_service('mariadb').with(config: %w(/etc/mysql/mariadb.conf.d/99-openstack.cnf /etc/openstack/internal-ca.pem))
    end

    it 'loads a renewed certificate, once' do
      files = %w(/etc/openstack/tls/mysql/certificate.pem /etc/openstack/tls/mysql/key.pem)
      expect(chef_run).not_to run_execute('load the renewed certificate into MariaDB')
      expect(OpenstackDatabase::Certificate).to have_received(:loaded?).with(files)
    end

    it 'does so while it runs' do
      allow(OpenstackDatabase::Certificate).to receive(:loaded?).and_return(false)
      expect(chef_run).to run_execute('load the renewed certificate into MariaDB')
        .with(command: 'mariadb --execute="FLUSH LOCAL SSL" && touch /run/openstack-mariadb-certificate')
    end

    it 'has a certificate' do
      expect(chef_run).to create_openstack_tls_files('mysql')
      expect(chef_run).to render_file('/etc/mysql/mariadb.conf.d/99-openstack.cnf').with_content(%r{^ssl-key = /etc/openstack/tls/mysql/key\.pem$})
    end
  end

  context 'with several controllers' do
    default_attributes['openstack']['ha'] = { 'address' => '192.0.2.9', 'members' => 'chefspec.local=192.0.2.10 c2=192.0.2.12' }

    before { allow_any_instance_of(Chef::Node).to receive(:name).and_return('chefspec.local') }

    it 'is a member of a cluster' do
      expect(chef_run).to render_file('/etc/mysql/mariadb.conf.d/99-openstack.cnf')
        .with_content(%r{^wsrep_cluster_address = gcomm://192\.0\.2\.10,192\.0\.2\.12$})
      expect(chef_run).to join_openstack_galera_member('192.0.2.10').with(peers: { 'c2' => '192.0.2.12' }, first: true)
    end

    it 'makes sure that no data would be lost before MariaDB gets the configuration of a member' do
      resources = chef_run.resource_collection.map(&:to_s)
      expect(resources.index('openstack_galera_member[before its configuration]')).to be < resources.index('openstack_config[/etc/mysql/mariadb.conf.d/99-openstack.cnf]')
      expect(chef_run).to prepare_openstack_galera_member('before its configuration').with(databases: include('keystone', 'neutron'))
    end

    context 'with encrypted connections' do
      default_attributes['openstack']['tls']['mode'] = 'all'

      it 'loads a renewed certificate also for connections between the members, and restarts none' do
        allow(OpenstackDatabase::Certificate).to receive(:loaded?).and_return(false)
        expect(chef_run).to join_openstack_galera_member('192.0.2.10')
          .with(config: %w(/etc/mysql/mariadb.conf.d/99-openstack.cnf /etc/openstack/internal-ca.pem))
        expect(chef_run).to run_execute('load the renewed certificate into MariaDB').with(command: /socket\.ssl_reload=1/)
      end
    end

    it 'lets only the nodes of the cloud connect to the ports of the cluster' do
      expect(chef_run).to start_openstack_service('mariadb').with(internal_ports: [3306, 4567, 4568, 4444])
      expect(chef_run).to start_openstack_service('openstack-galera').with(ports: [9200], internal_ports: [9200])
    end

    it 'lets in the clients of all controllers' do
      expect(chef_run).to render_file('/etc/mysql/mariadb.conf.d/99-openstack.cnf').with_content(/^max_connections = 2048$/)
    end
  end
end
