# frozen_string_literal: true

RSpec.describe 'openstack-image::controller' do
  include_context 'with a controller'
  step_into :openstack_config

  let(:definitions) { [['1']] }

  before { allow(OpenstackCommon::Mariadb).to receive(:new).and_return(instance_double(OpenstackCommon::Mariadb, query: definitions)) }

  it 'connects to the database and checks tokens at Keystone' do
    expect(chef_run).to render_file('/etc/glance/glance-api.conf')
      .with_content(%r{^connection = mysql\+pymysql://glance:db_passwords-glance-password@192\.0\.2\.10:3306/glance$})
      .with_content(/^\[keystone_authtoken\]\n(.+\n)*password = service_passwords-glance-password$/)
  end

  it 'does not load the metadata definitions again' do
    expect(chef_run).not_to run_execute('glance-manage db_load_metadefs')
  end

  context 'without metadata definitions' do
    let(:definitions) { [] }

    it 'loads them' do
      expect(chef_run).to run_execute('glance-manage db_load_metadefs').with(user: 'glance')
    end
  end

  it 'is registered in Keystone' do
    urls = %w(public internal admin).to_h { |interface| [interface, 'http://192.0.2.10:9292'] }
    expect(chef_run).to create_openstack_registration('glance').with(service_type: 'image', endpoints: urls)
  end

  it 'runs with that configuration' do
    expect(chef_run).to start_openstack_service('glance-api').with(ports: [9292], config: include('/etc/glance/glance-api.conf'))
  end

  it 'stores images as files' do
    expect(chef_run).to render_file('/etc/glance/glance-api.conf').with_content(/^default_backend = fs$/).with_content(/^enabled_backends = fs:file$/)
  end

  context 'with Ceph' do
    default_attributes['openstack']['ceph']['mon_hosts'] = %w(192.0.2.20)

    it 'stores images there, and still finds those in files' do
      expect(chef_run).to render_file('/etc/glance/glance-api.conf')
        .with_content(/^default_backend = rbd$/).with_content(/^enabled_backends = fs:file,rbd:rbd$/)
        .with_content(/^\[rbd\]\n(.+\n)*rbd_store_pool = images$/)
    end

    it 'answers requests while another one waits for Ceph' do
      expect(chef_run).to render_file('/etc/glance/glance-api.conf').with_content(/^workers = 2$/)
    end

    it 'lets only Glance read its key' do
      expect(chef_run).to create_file('/etc/ceph/ceph.client.glance.keyring').with(group: 'glance', mode: '0640', sensitive: true)
    end
  end

  context 'with an option from the environment' do
    override_attributes['openstack']['image']['conf']['DEFAULT']['debug'] = true

    it 'writes it' do
      expect(chef_run).to render_file('/etc/glance/glance-api.conf').with_content(/^\[DEFAULT\]\n(.+\n)*debug = true$/)
    end
  end
end
