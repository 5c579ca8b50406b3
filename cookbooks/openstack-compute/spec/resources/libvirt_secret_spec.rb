# frozen_string_literal: true

RSpec.describe 'openstack_libvirt_secret' do
  include_context 'with a controller'
  step_into :openstack_libvirt_secret

  let(:found) { instance_double(Mixlib::ShellOut, error?: false, stdout: "S0VZ\n\n") }
  let(:commands) { [] }
  let(:list) { " UUID                                   Usage\n----\n#{others}\n" }
  let(:others) { " 11111111-2222-3333-4444-555555555555   ceph client.cinder\n 99999999-2222-3333-4444-555555555555   volume /dev/sdb\n" }

  before do
    allow_any_instance_of(Chef::Resource).to receive(:shell_out).and_return(found)
    allow_any_instance_of(Chef::Provider).to receive(:shell_out!) do |_, *argv, input:|
      next instance_double(Mixlib::ShellOut, stdout: list) if argv.last == 'secret-list'

      commands << [argv[3], input || argv[4]]
    end
  end

  recipe do
    openstack_libvirt_secret('11111111-2222-3333-4444-555555555555') do
      usage 'client.cinder'
      value 'S0VZ'
    end
  end

  it 'leaves a secret with the right value alone' do
    chef_run
    expect(commands).to be_empty
  end

  { 'no such secret' => { error?: true }, 'another value' => { error?: false, stdout: "T0xE\n" } }.each do |what, answer|
    context "with #{what}" do
      let(:found) { instance_double(Mixlib::ShellOut, **answer) }

      it 'defines it, and passes its value on stdin' do
        chef_run
        expect(commands).to match([['secret-define', %r{<uuid>11111111-.*<usage type='ceph'><name>client\.cinder</name>}m], %w(secret-set-value S0VZ)])
      end
    end
  end

  context 'with a secret of the cluster that the cloud used before' do
    let(:found) { instance_double(Mixlib::ShellOut, error?: true) }
    let(:others) { " 99999999-2222-3333-4444-555555555555   ceph client.cinder\n 88888888-2222-3333-4444-555555555555   ceph client.other\n" }

    it 'removes it first, because libvirt accepts one of a user only' do
      chef_run
      expect(commands.map(&:first)).to eq(%w(secret-undefine secret-define secret-set-value))
      expect(commands.first.last).to eq('99999999-2222-3333-4444-555555555555')
    end
  end
end
