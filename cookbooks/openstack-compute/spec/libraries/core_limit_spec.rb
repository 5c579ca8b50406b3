# frozen_string_literal: true

RSpec.describe OpenstackCompute::CoreLimit do
  describe '.forbidden?' do
    # hard limit, effective capabilities of PID 1 → whether libvirt may not raise the limit
    [
      ['0', '000001fffeffffff', true],
      ['0', '000001ffffffffff', false],
      ['unlimited', '000001fffeffffff', false],
    ].each do |hard, capabilities, forbidden|
      it "is #{forbidden} with a hard limit of #{hard} and the capabilities #{capabilities}" do
        allow(File).to receive(:read).with('/proc/1/limits').and_return(<<~LIMITS)
          Limit                     Soft Limit           Hard Limit           Units
          Max stack size            8388608              unlimited            bytes
          Max core file size        0                    #{hard}                    bytes
        LIMITS
        allow(File).to receive(:read).with('/proc/1/status').and_return("Name:\tsystemd\nCapEff:\t#{capabilities}\n")
        expect(described_class.forbidden?).to be(forbidden)
      end
    end
  end

  it 'sets max_core and keeps the other lines' do
    expect(described_class.forbid("#max_core = \"unlimited\"\nuser = \"root\"")).to eq("#max_core = \"unlimited\"\nuser = \"root\"\nmax_core = 0\n")
  end

  it 'replaces another value, and changes nothing the second time' do
    once = described_class.forbid("max_core = \"unlimited\"\nuser = \"root\"\n")
    expect(once).to eq("user = \"root\"\nmax_core = 0\n")
    expect(described_class.forbid(once)).to eq(once)
  end
end
