# frozen_string_literal: true

RSpec.describe 'openstack_config' do
  platform 'debian', '13'
  step_into :openstack_config
  override_attributes['openstack']['compute']['conf'] = { 'DEFAULT' => { 'workers' => 4, 'debug' => nil }, 'vnc' => { 'enabled' => false } }

  recipe do
    openstack_config '/etc/nova/nova.conf' do
      service 'compute'
      group 'nova'
      defaults 'DEFAULT' => { 'workers' => 1, 'debug' => true, 'my_ip' => '192.0.2.10' }
    end
  end

  it 'overrides the options of the recipe with those of the environment' do
    expect(chef_run).to render_file('/etc/nova/nova.conf').with_content("\n[DEFAULT]\nmy_ip = 192.0.2.10\nworkers = 4\n\n[vnc]\nenabled = false\n")
  end

  it 'names the attributes in the file' do
    expect(chef_run).to render_file('/etc/nova/nova.conf').with_content('openstack.compute.conf.SECTION.KEY')
  end

  it 'hides the file from other users, and its content from the log' do
    expect(chef_run).to create_file('/etc/nova/nova.conf').with(owner: 'root', group: 'nova', mode: '0640', sensitive: true)
  end
end
