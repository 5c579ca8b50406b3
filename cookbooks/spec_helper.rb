# frozen_string_literal: true

gem 'chef', '~> 18' # other versions may be installed
require 'chefspec'
require 'tmpdir'

# libraries of all cookbooks, for specs that need no Chef run
Dir[File.join(__dir__, '*/libraries/*.rb')].sort.each { |library| require library }

RSpec.configure do |config|
  config.platform = 'debian'
  config.version = '13'
  config.cookbook_path = __dir__
  config.log_level = :fatal
end

# For the spec of every recipe: passwords without a Chef server, and a cloud with the address 192.0.2.10.
RSpec.shared_context 'with a controller' do
  platform 'debian', '13'

  services = %w(db mq memcached identity image placement compute metadata novnc network ovn_nb ovn_sb dashboard orchestration)
  default_attributes['openstack']['endpoints']['internal'] = services.to_h { |name| [name, { 'host' => '192.0.2.10' }] }
  # a spec without a recipe loads no attribute files
  default_attributes['openstack']['address'] = '192.0.2.10'
  default_attributes['openstack']['region'] = 'RegionOne'
  default_attributes['openstack']['start_timeout'] = 5

  before do
    [Chef::Recipe, Chef::Resource].each do |context|
      allow_any_instance_of(context).to receive(:data_bag_item) { |_, bag, item| { item => "#{bag}-#{item}-password" } }
      allow_any_instance_of(context).to receive(:data_bag).and_return([])
    end
    # services that not every cloud has
    stub_search(:node, /\Arecipes:openstack-(block-storage|ceph|object-storage)/).and_return([])
  end
end
