# frozen_string_literal: true

RSpec.describe 'openstack-compute' do
  include_context 'with a controller'

  let(:nova_conf) { chef_run.find_resource(:openstack_config, '/etc/nova/nova.conf').defaults }

  describe 'controller' do
    let(:chef_run) { chef_runner.converge('openstack-compute::controller') }

    it 'discovers new compute nodes every 30 seconds' do
      expect(nova_conf['scheduler']).to include('discover_hosts_in_cells_interval' => 30)
    end

    it 'keeps the connections of its APIs to RabbitMQ alive' do
      %w(nova-api nova-api-metadata).each { |name| expect(chef_run).to create_openstack_uwsgi("/etc/nova/#{name}-uwsgi.ini").with(unit: name, rabbitmq: true) }
    end

    it 'writes no passwords into cell mappings' do
      %w(cell0 cell1).each do |cell|
        expect(chef_run.find_resource(:openstack_nova_cell, cell).database).not_to include('nova-password')
      end
      expect(chef_run.find_resource(:openstack_nova_cell, 'cell1').queue).not_to include('openstack-password')
    end

    it 'selects the noVNC console proxy' do
      expect(chef_run).to create_file('/etc/default/nova-consoleproxy').with(content: /^NOVA_CONSOLE_PROXY_TYPE=novnc$/, mode: '0644')
    end

    context 'with TLS between nodes' do
      default_attributes['openstack']['tls']['mode'] = 'all'

      it 'keeps consoles open when the certificate for instances is renewed' do
        expect(chef_run).to create_openstack_tls_files('nova')
        expect(chef_run).to start_openstack_service('nova-novncproxy').with(config: %w(/etc/nova/nova.conf /etc/default/nova-consoleproxy))
      end
    end

    it 'lets users reach its API and the consoles, and only nodes its metadata' do
      services = chef_run.node['openstack']['services']
      expect(services['nova-api-metadata']['internal_ports']).to eq([8775])
      expect(%w(nova-api nova-novncproxy).flat_map { |unit| services[unit]['internal_ports'] }).to be_empty
    end

    it 'saves the ports of each service in the node object' do
      chef_run
      ports = chef_run.node['openstack']['services'].to_h.transform_values { |service| service['ports'] }
      expect(ports).to include('nova-api' => [8774], 'nova-api-metadata' => [8775], 'nova-novncproxy' => [6080], 'nova-conductor' => [])
    end
  end

  describe 'compute' do
    let(:chef_run) { chef_runner.converge('openstack-compute::compute') }

    it 'has a recipe that installs only packages, without a controller' do
      ahead = chef_runner.converge('openstack-compute::compute_packages')
      expect(ahead.resource_collection.map(&:to_s)).to eq(%w(openstack_packages[nova-compute]))
    end

    it 'gives compute nodes no access to the database' do
      expect(nova_conf.keys).not_to include('database', 'api_database')
    end

    { true => 'kvm', false => 'qemu' }.each do |there, type|
      it "chooses #{type} #{there ? 'with' : 'without'} /dev/kvm" do
        allow(File).to receive(:exist?).and_call_original
        allow(File).to receive(:exist?).with('/dev/kvm').and_return(there)
        expect(nova_conf['libvirt']).to eq('virt_type' => type)
      end
    end

    it 'forbids core files only where they are forbidden' do
      allow(OpenstackCompute::CoreLimit).to receive(:forbidden?).and_return(false)
      expect(chef_run).not_to create_file('/etc/libvirt/qemu.conf')
      allow(OpenstackCompute::CoreLimit).to receive(:forbidden?).and_return(true)
      expect(chef_runner.converge('openstack-compute::compute')).to create_file('/etc/libvirt/qemu.conf')
      expect(chef_run).to start_openstack_service('libvirtd').with(config: include('/etc/libvirt/qemu.conf'))
    end

    it 'reserves memory for its own services' do
      allow(OpenstackCompute::Sizes).to receive(:reserved_memory).with(controller: false).and_return(1024)
      expect(nova_conf['DEFAULT']).to include('reserved_host_memory_mb' => 1024, 'ram_allocation_ratio' => 1.0)
    end

    it 'keeps its compute_id when the host is reinstalled' do
      uuid = OpenstackCompute::Identity.uuid(chef_run.node['machinename'])
      expect(chef_run).to create_file('/var/lib/nova/compute_id').with(content: uuid)
    end

    it 'restarts nova-compute when the host gets another name' do
      expect(nova_conf['DEFAULT']).to include('host' => chef_run.node['machinename'])
      expect(chef_run).to start_openstack_service('nova-compute').with(config: %w(/etc/nova/nova.conf /var/lib/nova/compute_id))
    end

    context 'with a compute_id' do
      def with(id)
        [:exist?, :read].each { |method| allow(File).to receive(method).and_call_original }
        allow(File).to receive(:exist?).with('/var/lib/nova/compute_id').and_return(true)
        allow(File).to receive(:read).with('/var/lib/nova/compute_id').and_return(id)
      end

      it 'replaces that of a name which the host had before' do
        with(OpenstackCompute::Identity.uuid('compute1'))
        expect(chef_run).to create_file('/var/lib/nova/compute_id').with(content: OpenstackCompute::Identity.uuid(chef_run.node['machinename']))
      end

      it 'keeps one that Nova has generated' do
        with("0d8f6a1c-5f0e-4a55-9f0a-8f5d6e1c2b3a\n")
        expect(chef_run).not_to create_file('/var/lib/nova/compute_id')
      end
    end

    context 'with TLS between nodes' do
      default_attributes['openstack']['tls']['mode'] = 'all'

      before do
        allow(OpenstackCompute::VncTls).to receive(:set).and_return('')
        allow(File).to receive(:read).and_call_original
        allow(File).to receive(:read).with('/etc/libvirt/qemu.conf').and_return('')
      end

      it 'lets instances read the key of their consoles' do
        expect(chef_run).to create_directory('/etc/pki/libvirt-vnc').with(mode: '0755')
        expect(chef_run).to create_file('/etc/pki/libvirt-vnc/server-key.pem').with(group: 'libvirt-qemu', mode: '0640', sensitive: true, backup: false)
      end
    end

    it 'needs nothing for volumes in a cloud without Cinder' do
      expect(chef_run).not_to install_openstack_packages('nova-compute-ceph')
      expect(chef_run).not_to start_openstack_service('iscsid')
    end

    context 'in a cloud with Cinder and LVM' do
      default_attributes['openstack']['endpoints']['internal']['block_storage']['host'] = '192.0.2.10'

      it 'runs the iSCSI initiator' do
        expect(chef_run).to start_openstack_service('iscsid')
      end
    end

    context 'in a cloud with Ceph' do
      default_attributes['openstack']['ceph']['mon_hosts'] = %w(192.0.2.20)

      it 'has the key of the volumes in libvirt only' do
        expect(chef_run).to install_openstack_packages('nova-compute-ceph').with(packages: include('qemu-block-extra'))
        expect(chef_run).to create_openstack_libvirt_secret(chef_run.node['openstack']['ceph']['fsid'])
          .with(usage: 'client.cinder', value: OpenstackCommon::Ceph.key('ceph_keys-cinder-password'))
        expect(chef_run).not_to create_file('/etc/ceph/ceph.client.cinder.keyring')
      end

      it 'waits for libvirt before that' do
        expect(chef_run).to start_openstack_service('libvirtd').with(wait: true)
      end
    end
  end

  describe 'both on one node' do
    let(:chef_run) { chef_runner.converge('openstack-compute::controller', 'openstack-compute::compute') }

    it 'reserves memory for the services of both' do
      allow(OpenstackCompute::Sizes).to receive(:reserved_memory).with(controller: true).and_return(5120)
      expect(nova_conf['DEFAULT']).to include('reserved_host_memory_mb' => 5120)
    end

    it 'writes one nova.conf with the options of both' do
      expect(nova_conf['vnc']).to include('novncproxy_port' => 6080, 'server_listen' => '$my_ip')
      expect(nova_conf['DEFAULT']).to include('transport_url' => /^rabbit:/, 'compute_driver' => 'libvirt.LibvirtDriver')
      expect(nova_conf['database']['connection']).to end_with('/nova')
    end
  end
end
