# frozen_string_literal: true

require 'chefspec'
Dir[File.join(__dir__, 'openstack-common/libraries/*.rb')].sort.each { |library| require library }

RSpec.configure do |config|
  config.platform = 'debian'
  config.version = '13'
  config.cookbook_path = __dir__
  config.log_level = :fatal
  config.file_cache_path = File.join(Dir.tmpdir, 'stackcook-chefspec')
end

# What every recipe's spec needs: passwords without a Chef server, and a node that has nothing yet.
RSpec.shared_context 'with a controller' do
  let(:endpoints) { %w(db mq memcached identity image placement compute network dashboard).to_h { |name| [name, { 'host' => '192.0.2.10' }] } }
  let(:normal_attributes) { { 'openstack' => { 'address' => '192.0.2.10', 'endpoints' => { 'internal' => endpoints } } } }

  before do
    allow_any_instance_of(Chef::Recipe).to receive(:data_bag_item) { |_, bag, item| { item => "#{bag}-#{item}-password" } }
    allow_any_instance_of(Chef::Resource).to receive(:data_bag_item) { |_, bag, item| { item => "#{bag}-#{item}-password" } }
  end
end
