# frozen_string_literal: true

RSpec.describe 'openstack_packages' do
  platform 'debian', '13'
  step_into :openstack_packages

  before do
    allow(OpenstackCommon::Apt).to receive(:missing) { |packages| packages - installed }
    allow(OpenstackCommon::Apt).to receive(:install) { |packages| installed.concat(packages) }
  end

  recipe do
    openstack_packages('identity') { packages %w(keystone mariadb-client) }
    openstack_packages 'memcached'
  end

  context 'on a new node' do
    let(:installed) { %w(mariadb-client) }

    it 'installs what all of the run miss in one transaction' do
      chef_run
      expect(OpenstackCommon::Apt).to have_received(:install).once.with(%w(keystone memcached))
    end
  end

  context 'with everything there' do
    let(:installed) { %w(keystone mariadb-client memcached) }

    it 'leaves apt alone' do
      chef_run
      expect(OpenstackCommon::Apt).not_to have_received(:install)
    end
  end
end
