# frozen_string_literal: true

RSpec.describe OpenstackCommon::Ini do
  describe '.merge' do
    it 'overrides earlier layers option by option' do
      merged = described_class.merge({ 'api' => { 'a' => 1, 'b' => 1 } }, nil, { 'api' => { b: 2 } })
      expect(merged).to eq('api' => { 'a' => 1, 'b' => 2 })
    end

    it 'omits options that are nil, and empty sections' do
      expect(described_class.merge({ 'api' => { 'a' => 1 } }, { 'api' => { 'a' => nil } })).to eq({})
      expect(described_class.merge({ 'api' => { 'a' => 1 } }, { 'api' => nil, 'db' => nil })).to eq('api' => { 'a' => 1 })
    end

    it 'sorts sections and options, with DEFAULT first' do
      merged = described_class.merge({ 'b' => { 'y' => 1, 'x' => 1 }, 'a' => { 'z' => 1 } }, { 'DEFAULT' => { 'z' => 1 } })
      expect(merged.keys).to eq(%w(DEFAULT a b))
      expect(merged['b'].keys).to eq(%w(x y))
    end
  end

  describe '.render' do
    it 'writes one line for each value of an array' do
      expect(described_class.render({ 'libvirt' => { 'flag' => %w(a b), 'on' => true } }, 'openstack.compute.conf'))
        .to end_with("\n[libvirt]\nflag = a\nflag = b\non = true\n")
    end

    it 'quotes what oslo.config would strip' do
      expect(described_class.render({ 'api' => { 'a' => "'q'", 'b' => ' x', 'c' => 'x y', 'd' => [1, "x\t"] } }, ''))
        .to end_with("\na = \"'q'\"\nb = \" x\"\nc = x y\nd = 1\nd = \"x\t\"\n")
    end

    it 'rejects a value with a line break' do
      ["1\n[admin]", "1\r[admin]"].each do |value|
        expect { described_class.render({ 'api' => { 'a' => value } }, '') }.to raise_error(ArgumentError, /option a: .*line break/)
      end
    end
  end

  describe '.override' do
    let(:packaged) { "# a comment\n[uwsgi]\nprocesses = 8\n#threads = 32\nprocesses = 16\n\n[other]\nprocesses = 1\n" }

    it 'replaces an option in its place, and keeps everything else' do
      expect(described_class.override(packaged, 'uwsgi', { processes: 2 }))
        .to eq("# a comment\n[uwsgi]\n# Before Chef: processes = 8\n# Written by Chef:\nprocesses = 2\n#threads = 32\n# Before Chef: processes = 16\n\n[other]\nprocesses = 1\n")
    end

    it 'adds a missing option to the section' do
      expect(described_class.override(packaged, 'other', { 'threads' => 1 })).to end_with("[other]\n# Written by Chef:\nthreads = 1\nprocesses = 1\n")
    end

    it 'adds the section if it is missing' do
      expect(described_class.override('', 'uwsgi', { 'threads' => 1 })).to eq("[uwsgi]\n# Written by Chef:\nthreads = 1\n")
    end

    it 'changes nothing the second time' do
      once = described_class.override(packaged, 'uwsgi', { 'processes' => 2, 'threads' => 1 })
      expect(described_class.override(once, 'uwsgi', { 'processes' => 2, 'threads' => 1 })).to eq(once)
    end

    it 'gives an option its former value back when it is not set any more' do
      set = described_class.override(packaged, 'uwsgi', { 'processes' => nil, 'threads' => [1, 2] })
      expect(set).not_to match(/^processes = (8|16)$/)
      expect(described_class.override(set, 'uwsgi', { 'master' => true })).to eq(described_class.override(packaged, 'uwsgi', { 'master' => true }))
      expect(described_class.override(set, 'uwsgi', {})).to eq(packaged)
    end

    it 'replaces the last line also if it has no end' do
      expect(described_class.override("[uwsgi]\nthreads = 2", 'uwsgi', { 'threads' => 1 })).to eq("[uwsgi]\n# Before Chef: threads = 2\n# Written by Chef:\nthreads = 1\n")
    end
  end
end
