# frozen_string_literal: true

RSpec.describe OpenstackCompute::VncTls do
  let(:text) { "# vnc_tls = 1\nuser = \"x\"\n" }

  it 'adds its lines once, and takes them back' do
    once = described_class.set(text, true)
    expect(once).to start_with(text).and include("\nvnc_tls = 1\n").and include('"/etc/pki/libvirt-vnc"')
    expect(described_class.set(once, true)).to eq(once)
    expect(described_class.set(once, false)).to eq(text)
    expect(described_class.set(text, false)).to eq(text)
  end
end
