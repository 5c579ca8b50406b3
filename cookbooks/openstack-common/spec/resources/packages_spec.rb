# frozen_string_literal: true

RSpec.describe 'openstack_packages' do
  platform 'debian', '13'
  step_into :openstack_packages

  let(:installed) { %w(keystone mariadb-client memcached) }
  let(:left_behind) { false }

  before do
    allow(OpenstackCommon::Apt).to receive(:missing) { |packages| packages - installed }
    allow(OpenstackCommon::Apt).to receive(:policy_left_behind?) { left_behind }
    allow(OpenstackCommon::Apt).to receive(:restore_policy)
    allow(OpenstackCommon::Apt).to receive(:without_starting_services) { |&block| block.call.tap { installed.push('keystone', 'memcached') } }
  end

  recipe do
    openstack_packages('identity') { packages %w(keystone mariadb-client) }
    openstack_packages 'memcached'
  end

  context 'on a new node' do
    let(:installed) { %w(mariadb-client) }

    it 'installs all missing packages of the run in one transaction, starting nothing' do
      is_expected.to install_apt_package(%w(keystone memcached)).with(options: include('--no-install-recommends'))
      is_expected.to update_apt_update('')
      is_expected.to run_execute('dpkg --force-confold --configure --pending')
      expect(OpenstackCommon::Apt).to have_received(:without_starting_services).once
    end
  end

  context 'with everything installed' do
    it 'leaves apt and the policy alone' do
      chef_run
      expect(OpenstackCommon::Apt).not_to have_received(:without_starting_services)
      expect(OpenstackCommon::Apt).not_to have_received(:restore_policy)
    end
  end

  context 'after a run that was killed when all packages were installed' do
    let(:left_behind) { true }

    it 'restores the policy' do
      chef_run
      expect(OpenstackCommon::Apt).to have_received(:restore_policy).at_least(:once)
      expect(OpenstackCommon::Apt).not_to have_received(:without_starting_services)
    end
  end
end
