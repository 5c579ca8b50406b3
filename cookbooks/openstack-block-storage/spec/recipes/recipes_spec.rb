# frozen_string_literal: true

RSpec.describe 'openstack-block-storage' do
  include_context 'with a controller'

  default_attributes['openstack']['endpoints']['internal']['block_storage']['host'] = '192.0.2.10'

  let(:conf) { chef_run.find_resource(:openstack_config, '/etc/cinder/cinder.conf').defaults }

  describe 'controller' do
    let(:chef_run) { chef_runner.converge('openstack-block-storage::controller') }

    it 'is in the catalog under its official and its usual type' do
      urls = %w(public internal admin).to_h { |interface| [interface, 'http://192.0.2.10:8776/v3'] }
      expect(chef_run).to create_openstack_registration('block-storage').with(user: 'cinder', service_name: 'cinder', endpoints: urls)
      expect(chef_run).to create_openstack_registration('volumev3').with(user: 'cinder', service_name: 'cinderv3', endpoints: urls)
    end

    it 'keeps the connections of its API to RabbitMQ alive' do
      expect(chef_run).to create_openstack_uwsgi('/etc/cinder/cinder-api-uwsgi.ini').with(unit: 'cinder-api', rabbitmq: true)
    end

    it 'creates its database where MariaDB runs' do
      both = chef_runner.converge('openstack-database::controller', 'openstack-block-storage::controller')
      expect(both).to create_openstack_database('cinder').with(password: 'db_passwords-cinder-password')
    end

    it 'saves its port in the node object' do
      chef_run
      expect(chef_run.node['openstack']['services']['cinder-api']['ports']).to eq([8776])
    end
  end

  describe 'volume' do
    let(:chef_run) { chef_runner.converge('openstack-block-storage::volume') }

    it 'uses LVM over iSCSI where there is no Ceph, and makes no backups' do
      expect(conf['DEFAULT']['enabled_backends']).to eq('lvm')
      expect(conf['lvm']).to include('volume_group' => 'cinder-volumes', 'target_protocol' => 'iscsi', 'target_ip_address' => '192.0.2.10')
      expect(conf['DEFAULT']).not_to include('backup_driver')
      expect(chef_run).not_to start_openstack_service('cinder-backup')
    end

    context 'with devices' do
      default_attributes['openstack']['block_storage']['lvm']['devices'] = %w(/dev/sdb)

      it 'creates a volume group of them' do
        stub_command('vgs cinder-volumes').and_return(false)
        expect(chef_run).to run_execute('vgcreate cinder-volumes /dev/sdb')
      end

      it 'leaves an existing volume group alone' do
        stub_command('vgs cinder-volumes').and_return(true)
        expect(chef_run).not_to run_execute('vgcreate cinder-volumes /dev/sdb')
      end
    end

    context 'with an existing Ceph cluster' do
      default_attributes['openstack']['ceph']['mon_hosts'] = %w(192.0.2.20 192.0.2.21)

      it 'stores volumes and backups there' do
        expect(conf['ceph']).to include('rbd_pool' => 'volumes', 'rbd_user' => 'cinder', 'rbd_secret_uuid' => chef_run.node['openstack']['ceph']['fsid'])
        expect(conf['DEFAULT']).to include('enabled_backends' => 'ceph', 'backup_driver' => /Ceph/, 'backup_ceph_pool' => 'backups')
        expect(chef_run).to start_openstack_service('cinder-backup')
      end

      it 'lets only Cinder read the key' do
        key = OpenstackCommon::Ceph.key('ceph_keys-cinder-password')
        expect(chef_run).to create_file('/etc/ceph/ceph.client.cinder.keyring')
          .with(group: 'cinder', mode: '0640', sensitive: true, content: /key = #{Regexp.escape(key)}$/)
      end

      it 'names all monitors in ceph.conf' do
        ceph = chef_run.find_resource(:openstack_config, '/etc/ceph/ceph.conf')
        expect(ceph.defaults['global']['mon_host']).to eq('192.0.2.20,192.0.2.21')
      end
    end

    context 'with an unknown backend' do
      default_attributes['openstack']['block_storage']['backend'] = 'nfs'

      it 'fails' do
        expect { chef_run }.to raise_error(ArgumentError, /block_storage.backend: nfs is none of ceph, lvm/)
      end
    end
  end

  it 'writes one cinder.conf with the options of both' do
    both = chef_runner.converge('openstack-block-storage::controller', 'openstack-block-storage::volume')
    conf = both.find_resource(:openstack_config, '/etc/cinder/cinder.conf').defaults
    expect(conf['DEFAULT']).to include('transport_url' => /^rabbit:/, 'enabled_backends' => 'lvm')
  end
end
