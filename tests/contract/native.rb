# Run by `knife exec`: what `knife bootstrap` with each of ARGUMENTS would put onto the Chef server
# and into /etc/chef, without a machine. Prints one JSON list.
require 'chef/application/knife'
require 'chef/knife/bootstrap'

kind = Chef::Knife::Bootstrap
kind.options = Chef::Application::Knife.options.merge(kind.options)
kind.load_deps

puts(JSON.parse(ENV.fetch('ARGUMENTS')).map do |argv|
  bootstrap = kind.new(argv)
  def bootstrap.connection
    Struct.new(:windows?).new(false)
  end
  bootstrap.merge_configs
  Chef::Config[:chef_license] = 'accept'
  # Those of a file are left to the node's first run by knife; we put them where it puts -j's.
  bootstrap.config[:first_boot_attributes] ||= bootstrap.config[:first_boot_attributes_from_file]
  bootstrap.client_builder.run
  context = bootstrap.bootstrap_context
  {
    'client.rb' => context.config_content + "\n", # the template ends the line
    'first-boot.json' => context.first_boot,
    'hints' => bootstrap.config[:hints] || {},
    'secret' => context.encrypted_data_bag_secret,
    'trusted_certs' => context.trusted_certs,
  }
end.to_json.prepend('JSON: '))
