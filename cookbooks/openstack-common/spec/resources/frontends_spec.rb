# frozen_string_literal: true

RSpec.describe 'openstack_frontends' do
  include_context 'with a controller'
  step_into :openstack_frontends

  let(:config) { '/etc/haproxy/haproxy.cfg' }
  let(:certificate) { '/etc/haproxy/openstack.pem' }
  let(:ca) { "CA\n" }

  before do
    item = { 'certificate' => 'CERTIFICATE', 'key' => "KEY\n", 'ca' => ca }
    allow_any_instance_of(Chef::Resource).to receive(:data_bag_item).with('certificates', anything).and_return(item)
  end

  recipe do
    openstack_frontend 'identity'
    openstack_frontend 'dashboard'
  end

  context 'with TLS' do
    default_attributes['openstack']['tls']['mode'] = 'public'

    it 'accepts TLS at the public port of each service, and passes requests on to the service' do
      expect(chef_run).to render_file(config)
        .with_content("listen identity\n  bind 192.0.2.10:13000 ssl crt #{certificate} alpn http/1.1\n").with_content("  server identity 192.0.2.10:5000\n")
        .with_content('  bind 192.0.2.10:443 ssl').with_content("  server dashboard 192.0.2.10:80\n")
    end

    it 'does not pass on what clients say of the way that their requests took' do
      expect(chef_run).to render_file(config).with_content('http-request del-header ^(forwarded|x-forwarded-.*)$ -m reg')
    end

    it 'keeps the key in a file that only root can read' do
      expect(chef_run).to render_file(certificate).with_content("CERTIFICATE\nKEY\n")
      expect(chef_run).to create_file(certificate).with(owner: 'root', mode: '0600', sensitive: true)
      expect(chef_run).to create_file('/etc/openstack/ca.pem').with(content: "CA\n", mode: '0644')
    end

    it 'reloads HAProxy if the certificate changes' do
      expect(chef_run).to start_openstack_service('haproxy').with(ports: [13_000, 443], config: [config, certificate], reload: true)
    end

    it 'tells stackcook the URLs' do
      expect(chef_run.node['openstack']['public_urls'])
        .to eq('identity' => 'https://192.0.2.10:13000/v3', 'dashboard' => 'https://192.0.2.10/horizon/')
    end

    context 'with a certificate that clients trust anyway' do
      let(:ca) { '' }

      it 'needs no CA' do
        expect(chef_run).to delete_file('/etc/openstack/ca.pem')
      end
    end

    context 'with another public address, name and port' do
      default_attributes['openstack']['bind_service']['public']['identity']['host'] = '198.51.100.1'
      default_attributes['openstack']['endpoints']['public']['identity'] = { 'host' => 'cloud.example.com', 'port' => 5000 }

      it 'listens there' do
        expect(chef_run).to render_file(config).with_content('bind 198.51.100.1:5000 ssl')
        expect(chef_run.node['openstack']['public_urls']['identity']).to eq('https://cloud.example.com:5000/v3')
      end
    end

    context 'with a service that listens at all addresses' do
      default_attributes['openstack']['bind_service']['all']['identity']['host'] = '0.0.0.0'

      it 'reaches it at the address of the node' do
        expect(chef_run).to render_file(config).with_content('server identity 192.0.2.10:5000')
      end
    end
  end

  context 'without TLS' do
    it 'does nothing' do
      expect(chef_run).not_to create_file(config)
      expect(chef_run).not_to stop_service('haproxy')
    end

    it 'stops HAProxy if the cloud had TLS' do
      allow(OpenstackCommon::Frontends).to receive(:ours?).and_return(true)
      expect(chef_run).to stop_service('haproxy')
      expect(chef_run).to disable_service('haproxy')
      expect(chef_run).to delete_file(config)
      expect(chef_run).to delete_file(certificate)
    end
  end
end
