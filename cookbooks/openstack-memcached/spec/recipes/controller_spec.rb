# frozen_string_literal: true

RSpec.describe 'openstack-memcached::controller' do
  include_context 'with a controller'

  it 'listens at the node\'s own address, without UDP' do
    expect(chef_run).to render_file('/etc/memcached.conf').with_content(/^-l 192\.0\.2\.10$/).with_content(/^-U 0$/)
  end

  it 'runs memcached with that configuration' do
    expect(chef_run).to start_openstack_service('memcached').with(ports: [11_211], config: ['/etc/memcached.conf'])
  end
end
