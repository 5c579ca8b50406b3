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
        .with_content("listen identity from http\n  bind 192.0.2.10:13000 ssl crt #{certificate} alpn http/1.1\n").with_content("  server identity 192.0.2.10:5000\n")
        .with_content('  bind 192.0.2.10:443 ssl').with_content("  server dashboard 192.0.2.10:80\n")
    end

    it 'does not pass on what clients say of the way that their requests took' do
      expect(chef_run).to render_file(config).with_content('http-request del-header ^(forwarded|x-forwarded-.*)$ -m reg')
    end

    it 'keeps the services whose recipes the run leaves out' do
      chef_runner.node.override_runlist('recipe[openstack-image::controller]')
      allow(OpenstackCommon::Frontends).to receive(:ours?).and_return(true)
      expect(chef_run).not_to create_file(config)
    end

    it 'keeps the key in a file that only root can read' do
      expect(chef_run).to render_file(certificate).with_content("CERTIFICATE\nKEY\n")
      expect(chef_run).to create_file(certificate).with(owner: 'root', mode: '0600', sensitive: true, backup: false)
      expect(chef_run).to create_directory('/etc/openstack').with(mode: '0755')
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

  context 'with several controllers' do
    default_attributes['openstack']['ha'] = { 'address' => '192.0.2.9', 'members' => 'one=192.0.2.10 two=192.0.2.11' }

    recipe do
      node.rm('openstack', 'endpoints')
      node.automatic['recipes'] = %w(identity image compute dashboard database memcached).map { |name| "openstack-#{name}::controller" }
      openstack_frontend 'db'
      openstack_frontend 'identity'
      openstack_frontend 'metadata'
      openstack_frontend 'image', first_only: true
      openstack_frontend 'dashboard'
    end

    before { allow_any_instance_of(Chef::Node).to receive(:name).and_return('one') }

    let(:text) { chef_run.find_resource(:file, config).content }

    # a section's lines
    def section(name)
      text[/^listen #{name} from \w+\n((?:  .*\n)*)/, 1].to_s.lines.map(&:strip)
    end

    it 'listens at the virtual address, and asks all of them whether they work' do
      expect(section('identity')).to eq [
        'bind 192.0.2.9:5000',
        'option httpchk',
        'http-check send meth GET uri /v3 ver HTTP/1.1 hdr Host 192.0.2.9',
        'http-request disable-l7-retry unless METH_GET',
        'http-request del-header ^(forwarded|x-forwarded-.*)$ -m reg',
        'server one 192.0.2.10:5000 check',
        'server two 192.0.2.11:5000 check',
      ]
    end

    it 'checks one that a request did not reach at once' do
      expect(chef_run).to render_file('/etc/haproxy/haproxy.cfg').with_content('observe layer4 error-limit 1 on-error fastinter')
    end

    it 'does not take a busy service for a dead one' do
      expect(chef_run).to render_file('/etc/haproxy/haproxy.cfg').with_content(/timeout connect 1s\n +timeout check 10s$/)
    end

    it 'does not keep the key of the time when the cloud had TLS' do
      expect(chef_run).to delete_file(certificate).with(backup: false)
      steps = chef_run.run_context.resource_collection.map(&:to_s)
      expect(steps.index("file[#{certificate}]")).to be > steps.index('openstack_service[haproxy]')
    end

    it 'lets only the first one answer where the others could not' do
      expect(section('image').grep(/^server/)).to eq ['server one 192.0.2.10:9292 check']
    end

    it 'leaves the address of the instance in requests for metadata' do
      expect(section('metadata')).to include('bind 192.0.2.9:8775', 'option forwardfor if-none')
      expect(section('metadata').join).not_to include 'del-header'
    end

    it 'connects all of them to the same MariaDB' do
      expect(section('db')).to eq [
        'bind 127.0.0.1:3306', 'bind 192.0.2.9:3306', 'option httpchk GET /',
        'server one 127.0.0.1:3307 check addr 192.0.2.10 port 9200 on-marked-up shutdown-backup-sessions',
        'server two 127.0.0.1:3308 check addr 192.0.2.11 port 9200 backup'
      ]
    end

    it 'marks no server as down that it is just connecting to' do
      expect(section('db-one')).to eq ['bind 127.0.0.1:3307', 'server one 192.0.2.10:3306']
      expect(section('db-two')).to eq ['bind 127.0.0.1:3308', 'server two 192.0.2.11:3306']
    end

    context 'with OVN on all of them' do
      recipe do
        node.rm('openstack', 'endpoints')
        node.automatic['recipes'] = %w(openstack-network::controller)
        openstack_frontend 'ovn_nb'
      end

      it 'connects Neutron to the leader of the northbound database' do
        expect(section('ovn_nb')).to eq [
          'bind 127.0.0.1:6641',
          'option tcp-check',
          %q(tcp-check send '{"id":0,"method":"transact","params":["_Server",{"op":"select","table":"Database",) +
          %q("where":[["name","==","OVN_Northbound"]],"columns":["leader"]}]}'),
          %q(tcp-check expect string '"leader":true'),
          'server one 192.0.2.10:6641 check rise 1',
          'server two 192.0.2.11:6641 check rise 1',
        ]
      end
    end

    it 'needs no certificate' do
      expect(text).not_to include 'crt'
      expect(chef_run).to start_openstack_service('haproxy').with(ports: [3306, 3307, 3308, 5000, 8775, 9292, 80], config: [config])
      expect(chef_run.node['openstack']['public_urls']).to be_nil
    end

    context 'with public TLS' do
      default_attributes['openstack']['tls']['mode'] = 'public'

      it 'accepts TLS at the virtual address, too' do
        expect(section('identity')).to include(
          'bind 192.0.2.9:5000', "bind 192.0.2.9:13000 ssl crt #{certificate} alpn http/1.1",
          "bind 192.0.2.10:13000 ssl crt #{certificate} alpn http/1.1", # for clients from before
          'http-request set-header X-Forwarded-Proto https if { ssl_fc }', 'server two 192.0.2.11:5000 check'
        )
        expect(chef_run.node['openstack']['public_urls']['identity']).to eq('https://192.0.2.9:13000/v3')
      end
    end

    context 'with internal TLS' do
      default_attributes['openstack']['tls']['mode'] = 'all'

      before do
        item = { 'certificate' => 'C', 'key' => 'K', 'ca' => 'CA' }
        allow_any_instance_of(Chef::Resource).to receive(:data_bag_item).with('internal_certificates', anything).and_return(item)
        allow(OpenstackCommon::Frontends).to receive(:taken).and_return([])
      end

      it 'passes requests on over TLS, to HAProxy of each node' do
        expect(text).to include "  load crt /etc/openstack/tls/haproxy/certificate.pem key /etc/openstack/tls/haproxy/key.pem alias node\n"
        expect(section('identity')).to include(
          'bind 192.0.2.9:5000 ssl crt @internal/node alpn http/1.1', 'http-request set-header X-Forwarded-Proto https',
          "bind 192.0.2.10:13000 ssl crt #{certificate} alpn http/1.1",
          'server two 192.0.2.11:5000 ssl verify required ca-file /etc/openstack/internal-ca.pem verifyhost two check'
        )
        expect(section('identity-node')).to eq [
          'bind 192.0.2.10:5000 ssl crt @internal/node alpn http/1.1',
          'http-request del-header ^(forwarded|x-forwarded-.*)$ -m reg unless { src 192.0.2.10 192.0.2.11 }',
          'http-request set-header X-Forwarded-Proto https',
          'option forwardfor if-none',
          'server identity 127.0.0.1:5000',
        ]
      end

      it 'redirects from port 80 to Horizon' do
        expect(section('dashboard-redirect')).to eq ['bind 192.0.2.9:80', 'http-request redirect code 302 location https://192.0.2.9/horizon/']
        expect(section('dashboard')).to include(/^server two 192.0.2.11:443 ssl/)
        expect(section('dashboard-node')).to include('bind 192.0.2.10:443 ssl crt @internal/node alpn http/1.1', 'server dashboard 127.0.0.1:80')
      end

      context 'when a service still listens where HAProxy is to listen' do
        recipe do
          node.rm('openstack', 'endpoints')
          node.automatic['recipes'] = %w(openstack-identity::controller openstack-memcached::controller)
          openstack_frontend 'identity'
          openstack_service('keystone') { ports [5000] }
          openstack_service('other') { ports [6000] }
        end

        it 'stops it' do
          allow(OpenstackCommon::Frontends).to receive(:taken).with('192.0.2.10').and_return([5000, 6000])
          expect(chef_run).to stop_service('keystone')
          expect(chef_run).not_to stop_service('other')
        end
      end

      context 'with memcached on each' do
        recipe do
          node.rm('openstack', 'endpoints')
          node.automatic['recipes'] = %w(openstack-identity::controller openstack-memcached::controller)
          openstack_frontend 'memcached'
        end

        it 'leads to each of them by a port of 127.0.0.1' do
          expect(section('memcached')).to eq ['bind 192.0.2.10:11211 ssl crt @internal/node', 'server memcached 127.0.0.1:11211']
          expect(section('memcached-one')).to eq ['bind 127.0.0.1:11212', 'server one 127.0.0.1:11211 check']
          expect(section('memcached-two').first).to eq 'bind 127.0.0.1:11213'
          expect(section('memcached-two').last).to start_with 'server two 192.0.2.11:11211 ssl verify required'
        end
      end
    end
  end

  context 'with internal TLS and one controller' do
    default_attributes['openstack']['tls']['mode'] = 'all'

    before do
      item = { 'certificate' => 'C', 'key' => 'K', 'ca' => 'CA' }
      allow_any_instance_of(Chef::Resource).to receive(:data_bag_item).with('internal_certificates', anything).and_return(item)
      allow(OpenstackCommon::Frontends).to receive(:taken).and_return([])
    end

    it 'accepts TLS at the address of the node for services that listen at 127.0.0.1' do
      expect(chef_run).to render_file(config).with_content(<<~TEXT)
        listen identity from http
          bind 192.0.2.10:5000 ssl crt @internal/node alpn http/1.1
          bind 192.0.2.10:13000 ssl crt /etc/haproxy/openstack.pem alpn http/1.1
          http-request del-header ^(forwarded|x-forwarded-.*)$ -m reg
          http-request set-header X-Forwarded-Proto https
          server identity 127.0.0.1:5000
      TEXT
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
      # the configuration last: without it, the next run would leave the key behind
      expect(chef_run.find_resources(:file).select { |file| file.performed_action?(:delete) }.map(&:path)).to eq([certificate, config])
      expect(chef_run).to delete_file(certificate).with(backup: false)
    end
  end
end
