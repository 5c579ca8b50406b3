# frozen_string_literal: true

RSpec.describe 'openstack_tls_files' do
  platform 'debian', '13'
  step_into :openstack_tls_files

  before do
    pem = { 'certificate' => 'CERTIFICATE', 'key' => 'KEY', 'ca' => 'CA' }
    allow_any_instance_of(Chef::Provider).to receive(:data_bag_item).with('internal_certificates', anything).and_return(pem)
  end

  recipe { openstack_tls_files('mysql') }

  it 'does nothing without TLS between nodes' do
    expect(chef_run.find_resources(:file)).to be_empty
  end

  context 'with TLS between nodes' do
    default_attributes['openstack']['tls']['mode'] = 'all'

    it 'lets only the daemon read the key, and keeps no copy of one that was replaced' do
      expect(chef_run).to create_file('/etc/openstack/tls/mysql/key.pem').with(content: 'KEY', group: 'mysql', mode: '0640', sensitive: true, backup: false)
      expect(chef_run).to create_file('/etc/openstack/tls/mysql/certificate.pem').with(content: 'CERTIFICATE', mode: '0644')
    end

    it 'lets daemons reach their files whatever the umask of root is' do
      %w(/etc/openstack /etc/openstack/tls /etc/openstack/tls/mysql).each { |path| expect(chef_run).to create_directory(path).with(mode: '0755') }
    end
  end
end
