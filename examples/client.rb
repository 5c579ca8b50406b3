# frozen_string_literal: true

# Settings of chef-client for the examples: chef-client -z -c examples/client.rb …

chef_repo_path __dir__
cookbook_path %W(#{__dir__}/../cookbooks #{__dir__}/cookbooks)
environment 'example'

# If the data bag items are encrypted:
# encrypted_data_bag_secret '/etc/chef/encrypted_data_bag_secret'
