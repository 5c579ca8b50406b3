# frozen_string_literal: true

require_relative '../../../spec_helper'

RSpec.describe OpenstackCommon::Members do
  let(:cloud) { Struct.new(:node).new(chef_node).extend(described_class) }
  let(:chef_node) { Chef::Node.new.tap { |node| node.name('controller2') } }

  before { chef_node.default['openstack']['ha'] = attributes }

  context 'with a virtual address' do
    let(:attributes) { { 'address' => '192.0.2.9', 'members' => 'controller1=192.0.2.11 controller2=192.0.2.12' } }

    it 'tells which controllers there are' do
      expect(cloud.openstack_ha?).to be true
      expect(cloud.openstack_members.map(&:to_a)).to eq [%w(controller1 192.0.2.11), %w(controller2 192.0.2.12)]
      expect(cloud.openstack_peers.map(&:name)).to eq %w(controller1)
      expect(cloud.openstack_member?).to be true
      expect(cloud.openstack_first_member?).to be false
    end
  end

  context 'without' do
    let(:attributes) { {} }

    it 'has none' do
      expect(cloud.openstack_ha?).to be false
      expect(cloud.openstack_member?).to be false
    end
  end

  context 'with a malformed attribute' do
    let(:attributes) { { 'address' => '192.0.2.9', 'members' => 'controller1' } }

    it 'says so' do
      expect { cloud.openstack_members }.to raise_error(/"controller1" is not NAME=ADDRESS/)
    end
  end
end
