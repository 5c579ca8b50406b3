# frozen_string_literal: true

RSpec.describe OpenstackCommon::Ceph do
  describe '.key' do
    it 'makes a key of any text, always the same' do
      key = described_class.key('secret')
      expect(key).to eq(described_class.key('secret')).and match(/\A\S{40}\z/)
      expect(key).not_to eq(described_class.key('other'))
    end

    it 'makes keys in the form of Ceph: AES, no time of creation, 16 bytes' do
      expect(described_class.key('secret').unpack1('m').unpack('S<L<L<S<')).to eq([1, 0, 0, 16])
      expect(described_class.key('secret').unpack1('m').bytesize).to eq(28)
    end

    it 'keeps the key of an existing cluster' do
      key = 'AQBSdFhcGu1VHRAAsZ3L0NKX1Wd2t0e4tVyF2g=='
      expect(described_class.key(key)).to eq(key)
    end
  end

  it 'writes keyrings' do
    expect(described_class.keyring('client.x', 'KEY', 'mon' => 'allow r'))
      .to eq("[client.x]\n\tkey = KEY\n\tcaps mon = \"allow r\"\n")
  end
end
