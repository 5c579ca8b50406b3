# frozen_string_literal: true

# Standard input: a JSON list of passwords. Standard output: JSON with the configuration files that the cookbooks make of them.
require 'json'

common = File.expand_path('../../cookbooks/openstack-common/libraries', __dir__)
require "#{common}/ini"
require "#{common}/helpers"
require "#{common}/../../openstack-dashboard/libraries/settings"

class Recipe
  include OpenstackCommon::Helpers

  def initialize(password)
    @password = password
  end

  def openstack_password(*)
    @password
  end

  def openstack_host(*)
    '127.0.0.1'
  end

  def openstack_servers(*)
    [OpenstackCommon::Members::Member.new(nil, openstack_host)]
  end

  def openstack_port(*)
    1
  end

  def openstack_url(*)
    'http://127.0.0.1:1'
  end

  def node
    { 'openstack' => { 'region' => 'RegionOne' } }
  end
end

answers = JSON.parse($stdin.read).map do |password|
  recipe = Recipe.new(password)
  section = { 'password' => recipe.keystone_client_section('nova')['password'], 'db' => recipe.db_url('nova'), 'mq' => recipe.transport_url }
  { ini: OpenstackCommon::Ini.render({ 'test' => section }, ''), horizon: OpenstackDashboard::Settings.render({ 'KEY' => password }) }
rescue ArgumentError => e
  { error: e.message }
end
puts JSON.generate(answers)
