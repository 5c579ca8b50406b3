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

  # the lines of the file that are no comments
  def options(path)
    text = nil
    expect(chef_run).to render_file(path).with_content { |content| text = content }
    text.lines(chomp: true).grep_v(/^#/)
  end

  it 'sets the options and keeps the packaged ones' do
    expect(options('/etc/keystone/keystone-uwsgi.ini'))
      .to eq(['[uwsgi]', 'http-socket = 192.0.2.10:5000', 'add-header = Connection: close', 'threads = 1', 'master = true', 'processes = 3'])
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
      expect(options('/etc/nova/nova-api-uwsgi.ini').last(2))
        .to eq(%w(PROCESSNAME=nova-api HEARTBEAT_IN_PTHREAD=true).map { |option| "env = OS_OSLO_MESSAGING_RABBIT__#{option}" })
    end
  end
end
