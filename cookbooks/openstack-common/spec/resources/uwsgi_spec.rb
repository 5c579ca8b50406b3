# frozen_string_literal: true

RSpec.describe 'openstack_uwsgi' do
  platform 'debian', '13'
  step_into :openstack_uwsgi
  override_attributes['openstack']['identity']['uwsgi'] = { 'processes' => 3 }

  before do
    allow(File).to receive(:read).and_call_original
    allow(File).to receive(:read).with('/etc/keystone/keystone-uwsgi.ini').and_return("[uwsgi]\nmaster = true\nprocesses = 8\n")
  end

  recipe do
    openstack_uwsgi '/etc/keystone/keystone-uwsgi.ini' do
      service 'identity'
      unit 'keystone'
      bind '192.0.2.10:5000'
      options 'processes' => 2, 'threads' => 1
    end
  end

  it 'sets the options and keeps the packaged ones' do
    expect(chef_run).to render_file('/etc/keystone/keystone-uwsgi.ini')
      .with_content("[uwsgi]\nhttp-socket = 192.0.2.10:5000\nadd-header = Connection: close\nthreads = 1\nmaster = true\nprocesses = 3\n")
  end

  it 'lets the start script listen on the address in the file' do
    expect(chef_run).to render_file('/etc/default/keystone').with_content("DAEMON_ARGS='--ini /etc/keystone/keystone-uwsgi.ini'")
  end

  context 'with connections to RabbitMQ' do
    before do
      allow(File).to receive(:read).with('/etc/nova/nova-api-uwsgi.ini').and_return("[uwsgi]\nenv = OS_OSLO_MESSAGING_RABBIT__PROCESSNAME=nova-api\n")
    end

    recipe do
      openstack_uwsgi '/etc/nova/nova-api-uwsgi.ini' do
        service 'compute.api'
        unit 'nova-api'
        rabbitmq true
      end
    end

    it 'keeps them alive between requests' do
      expect(chef_run).to render_file('/etc/nova/nova-api-uwsgi.ini')
        .with_content("env = OS_OSLO_MESSAGING_RABBIT__PROCESSNAME=nova-api\nenv = OS_OSLO_MESSAGING_RABBIT__HEARTBEAT_IN_PTHREAD=true\n")
    end
  end
end
