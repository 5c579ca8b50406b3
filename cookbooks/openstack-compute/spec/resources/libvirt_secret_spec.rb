# frozen_string_literal: true

RSpec.describe 'openstack_libvirt_secret' do
  include_context 'with a controller'
  step_into :openstack_libvirt_secret

  let(:found) { instance_double(Mixlib::ShellOut, error?: false, stdout: "S0VZ\n\n") }
  let(:commands) { [] }

  before do
    allow_any_instance_of(Chef::Resource).to receive(:shell_out).and_return(found)
    allow_any_instance_of(Chef::Provider).to receive(:shell_out!) { |_, *argv, input:| commands << [argv[3], input] }
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
end
