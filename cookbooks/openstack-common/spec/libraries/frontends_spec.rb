# frozen_string_literal: true

RSpec.describe OpenstackCommon::Frontends do
  describe '.administrators?' do
    def administrators?(text)
      Dir.mktmpdir do |directory|
        stub_const("#{described_class}::CONFIG", File.join(directory, 'haproxy.cfg'))
        File.write(described_class::CONFIG, text) if text
        described_class.administrators?
      end
    end

    it 'knows a configuration that someone has written' do
      expect(administrators?("defaults\n  mode http\nlisten web\n  bind :80\n")).to be(true)
      expect(administrators?("frontend web\n  bind :80\n")).to be(true)
    end

    it 'knows that of the package, our own, and that there is none' do
      expect(administrators?("global\n\tlog /dev/log local0\n\ndefaults\n\tlog\tglobal\n\terrorfile 400 /etc/haproxy/errors/400.http\n")).to be(false)
      expect(administrators?("#{described_class::MARK}\nlisten identity from http\n")).to be(false)
      expect(administrators?(nil)).to be(false)
    end
  end
end
