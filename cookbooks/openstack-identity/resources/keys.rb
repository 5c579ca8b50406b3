# frozen_string_literal: true

provides :openstack_keystone_keys
unified_mode true

description 'Keystone\'s keys of tokens or credentials. Keystone reads them each time it needs them.'

property :kind, String, name_property: true, equal_to: OpenstackIdentity::Keys::DIRECTORIES.keys
property :keys, [Hash, nil], sensitive: true, description: '{number => key}; without them, Keystone generates keys of its own once'

action :create do
  directory = OpenstackIdentity::Keys::DIRECTORIES.fetch(new_resource.kind)
  new_resource.keys ? write(directory) : generate(directory)
end

action_class do
  # From the highest number on, and obsolete ones last: at each moment, all keys that are in use can be read.
  def write(path)
    present = OpenstackIdentity::Keys.read(path)
    wanted = OpenstackIdentity::Keys.merge(new_resource.keys, present)

    directory path do
      owner 'keystone'
      group 'keystone'
      mode '0700'
    end

    wanted.sort.reverse_each do |number, key|
      file ::File.join(path, number.to_s) do
        content key
        owner 'keystone'
        group 'keystone'
        mode '0600'
        sensitive true
        backup false
      end
    end

    # Before obsolete keys are deleted: only they decrypt what was encrypted with them. Whether there is anything is asked of the database, so
    # that what a converge could not finish is finished by the next one.
    keys = { **present.except(*wanted.keys), **wanted }
    execute 'keystone-manage credential_migrate' do
      command %w(keystone-manage credential_migrate)
      user 'keystone'
      only_if { new_resource.kind == 'credential' && old_credentials?(keys) }
    end

    (present.keys - wanted.keys).each do |number|
      file ::File.join(path, number.to_s) do
        backup false # what a rotation has removed must not be kept elsewhere
        action :delete
      end
    end
  end

  # @param keys [Hash{Integer => String}] all keys of this node
  # @return [Boolean] whether there are credentials that are encrypted with another key of this node than the one that encrypts
  def old_credentials?(keys)
    others = keys.values - [keys.max.last]
    hashes = others.map { |key| OpenstackCommon::Mariadb.quote(OpenstackIdentity::Keys.hash_of(key)) }
    hashes.any? && openstack_mariadb('keystone').query("SELECT 1 FROM credential WHERE key_hash IN (#{hashes.join(', ')}) LIMIT 1").any?
  end

  def generate(path)
    execute "keystone-manage #{new_resource.kind}_setup" do
      command %W(keystone-manage #{new_resource.kind}_setup --keystone-user keystone --keystone-group keystone)
      creates ::File.join(path, '0')
    end
  end
end
