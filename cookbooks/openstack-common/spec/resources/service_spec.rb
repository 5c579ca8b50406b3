# frozen_string_literal: true

RSpec.describe 'openstack_service' do
  include_context 'with a controller'
  step_into :openstack_service

  let(:state) { { 'LoadState' => 'loaded', 'InactiveExitTimestamp' => '', 'UnitFileState' => 'enabled', 'ActiveState' => 'active', 'Result' => 'success' } }
  let(:listening) { [5000] }
  let(:verbs) { [] }

  before do
    allow(OpenstackCommon::Systemd).to receive(:show_all) { |units| units.to_h { |unit| [unit, OpenstackCommon::Systemd.new(state.dup)] } }
    allow(OpenstackCommon::Systemd).to receive(:listening) { listening }
    allow_any_instance_of(Chef::Provider).to receive(:shell_out!) do |_, *argv|
      verbs << (argv - %w(systemctl --quiet --no-block keystone)).join
      state.merge!('ActiveState' => 'active', 'UnitFileState' => 'enabled')
    end
  end

  recipe do
    openstack_service 'keystone' do
      ports [5000]
      log %w(/var/log/uwsgi.log /var/log/keystone/keystone.log)
      config '/etc/keystone/keystone.conf'
      wait true
    end
  end

  it 'does nothing if it runs with its current configuration' do
    chef_run
    expect(verbs).to be_empty
  end

  context 'with TLS between nodes' do
    default_attributes['openstack']['tls']['mode'] = 'all'

    it 'has the CA certificates that clients need, in a directory of their own' do
      expect(chef_run).to create_directory('/etc/openstack')
      expect(chef_run).to create_file('/etc/openstack/internal-ca.pem')
    end
  end

  it 'enables and starts a unit that is disabled and stopped' do
    state.merge!('UnitFileState' => 'disabled', 'ActiveState' => 'inactive')
    chef_run
    expect(verbs).to eq(%w(enable start))
  end

  it 'restarts a unit that started before its configuration was written' do
    allow_any_instance_of(OpenstackCommon::Systemd).to receive(:older_than?).with(%w(/etc/keystone/keystone.conf /etc/default/keystone), reload: false).and_return(true)
    chef_run
    expect(verbs).to eq(%w(restart))
  end

  context 'with a unit that can be reloaded' do
    recipe do
      openstack_service 'keystone' do
        config '/etc/keystone/keystone.conf'
        reload true
      end
    end

    it 'reloads it instead of restarting it' do
      allow_any_instance_of(OpenstackCommon::Systemd).to receive(:older_than?).with(anything, reload: true).and_return(true)
      chef_run
      expect(verbs).to eq(%w(reload))
    end
  end

  it 'waits for a restart that systemd has not begun yet' do
    allow_any_instance_of(OpenstackCommon::Systemd).to receive(:older_than?).and_return(true)
    allow_any_instance_of(Chef::Provider).to receive(:shell_out!) { state['Job'] = '1234' }
    allow_any_instance_of(Chef::Provider).to receive(:sleep) { state.delete('Job') }
    chef_run
    expect(state).not_to include('Job')
  end

  context 'with several services' do
    recipe do
      %w(keystone apache2 memcached).each { |unit| openstack_service(unit) { ports [5000] } }
    end

    it 'asks for the states of all at once, at the first and in the end' do
      chef_run
      expect(OpenstackCommon::Systemd).to have_received(:show_all).with(%w(keystone apache2 memcached)).twice
      expect(OpenstackCommon::Systemd).to have_received(:show_all).twice
    end

    it 'asks again for what is not in order, one by one' do
      state['ActiveState'] = 'inactive' # all three at first; the first one that is started changes it for all
      chef_run
      expect(verbs).to eq(%w(start))
      %w(keystone apache2 memcached).each { |unit| expect(OpenstackCommon::Systemd).to have_received(:show_all).with([unit]) }
    end

    it 'waits for what is not ready in the end' do
      listening.clear
      allow_any_instance_of(Chef::Provider).to receive(:sleep) { listening << 5000 }
      chef_run
      expect(OpenstackCommon::Systemd).to have_received(:show_all).with(%w(keystone))
      expect(OpenstackCommon::Systemd).not_to have_received(:show_all).with(%w(apache2))
    end
  end

  context 'after a wait within another resource, long ago' do
    recipe do
      node.run_state[:openstack_wait_deadline] = 0
      openstack_service 'keystone' do
        ports [5000]
      end
    end

    it 'gives a service that was started later the whole time' do
      state['ActiveState'] = 'inactive'
      listening.clear
      allow_any_instance_of(Chef::Provider).to receive(:sleep) { listening << 5000 }
      expect { chef_run }.not_to raise_error
      expect(listening).to eq([5000])
    end
  end

  it 'saves its ports and its logs in the node object' do
    expect(chef_run.node['openstack']['services']['keystone'])
      .to eq('ports' => [5000], 'internal_ports' => [], 'log' => %w(/var/log/uwsgi.log /var/log/keystone/keystone.log))
  end

  context 'when it does not work in time' do
    default_attributes['openstack']['start_timeout'] = -1

    it 'reports that it does not listen, and where its log is' do
      listening.clear
      expect { chef_run }.to raise_error(%r{keystone: does not listen on port 5000; see /var/log/keystone/keystone.log\z})
    end

    it 'reports that it does not run' do
      state.merge!('ActiveState' => 'failed', 'Result' => 'exit-code', 'ExecMainStatus' => '1')
      allow_any_instance_of(Chef::Provider).to receive(:shell_out!)
      expect { chef_run }.to raise_error(/keystone: is not running \(failed, exit-code, exit status 1\)/)
    end
  end

  it 'names a unit that does not exist' do
    state['LoadState'] = 'not-found'
    expect { chef_run }.to raise_error(/keystone: unit not found; check that its package is installed\z/)
  end
end
