# frozen_string_literal: true

provides :openstack_keypair
unified_mode true

description 'Creates a user\'s SSH key pair in Nova from the public key; the private key stays with the user. Nova cannot change a key pair: if the key changes, the key pair is replaced. Existing instances keep their key.'

property :keypair_name, String, name_property: true
property :user, String, default: 'admin', desired_state: false, description: 'The user to whom it belongs'
property :public_key, String, required: [:create], coerce: proc(&:strip), description: 'As in id_ed25519.pub'

load_current_value do |desired|
  found = openstack_api('compute').list("/os-keypairs?user_id=#{openstack_user_id(desired.user)}", 'keypairs')
                                  .map { |each| each['keypair'] }.find { |keypair| keypair['name'] == desired.keypair_name }
  current_value_does_not_exist! unless found

  public_key found['public_key']
end

action :create do
  converge_if_changed do
    delete_keypair if current_resource
    nova.post('/os-keypairs', { keypair: { name: new_resource.keypair_name, type: 'ssh', public_key: new_resource.public_key, user_id: user_id } })
  end
end

action :delete do
  converge_by("delete key pair #{new_resource.keypair_name} of #{new_resource.user}") { delete_keypair } if current_resource
end

action_class do
  def nova
    openstack_api('compute')
  end

  def user_id
    openstack_user_id(new_resource.user)
  end

  def delete_keypair
    nova.delete("/os-keypairs/#{ERB::Util.url_encode(new_resource.keypair_name)}?user_id=#{user_id}")
  end
end
