# frozen_string_literal: true

RSpec.describe OpenstackDatabase::Certificate do
  it 'is loaded on this node only, by Galera as well if there is a cluster' do
    expect(described_class.reload(cluster: false)).to eq('FLUSH LOCAL SSL')
    expect(described_class.reload(cluster: true)).to eq("FLUSH LOCAL SSL; SET GLOBAL wsrep_provider_options = 'socket.ssl_reload=1'")
  end

  describe 'loaded?' do
    let(:now) { Time.now }
    let(:started) { now - 100 }

    # @param written [Time] when certificate and key were written
    # @param loaded [Time, nil] when MariaDB loaded a renewed certificate
    def loaded?(written, loaded: nil)
      Dir.mktmpdir do |directory|
        files = %w(certificate key).map { |name| File.join(directory, name) }
        stub_const("#{described_class}::LOADED", File.join(directory, 'loaded'))
        files.to_h { |file| [file, written] }.merge({ described_class::LOADED => loaded }.compact).each do |file, time|
          FileUtils.touch(file, mtime: time)
        end
        described_class.loaded?(files)
      end
    end

    before do
      state = { 'InactiveExitTimestamp' => started.utc.strftime('%a %F %T UTC') }
      allow(OpenstackCommon::Systemd).to receive(:show).with('mariadb').and_return(OpenstackCommon::Systemd.new(state))
    end

    it 'is true if MariaDB has started since the files were written' do
      expect(loaded?(started - 50)).to be(true)
      expect(loaded?(started - 50, loaded: started - 70)).to be(true)
    end

    it 'is false if they were renewed since, until MariaDB has loaded them' do
      expect(loaded?(now - 50)).to be(false)
      expect(loaded?(now - 50, loaded: now - 70)).to be(false)
      expect(loaded?(now - 50, loaded: now - 30)).to be(true)
    end
  end
end
