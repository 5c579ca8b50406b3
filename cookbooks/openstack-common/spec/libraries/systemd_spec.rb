# frozen_string_literal: true

RSpec.describe OpenstackCommon::Systemd do
  def unit(**properties)
    described_class.new({ 'LoadState' => 'loaded', 'ActiveState' => 'active' }.merge(properties.transform_keys(&:to_s)))
  end

  it 'is older than a file that was written after it started' do
    file = Tempfile.create('conf')
    started = (File.mtime(file.path) - 1).utc.strftime('%a %Y-%m-%d %H:%M:%S.%6N UTC')
    expect(unit(InactiveExitTimestamp: started)).to be_older_than([file.path, '/gone'])
  end

  it 'is not older than files from before it started, or if it never started' do
    file = Tempfile.create('conf')
    started = (File.mtime(file.path) + 1).utc.strftime('%a %Y-%m-%d %H:%M:%S.%6N UTC')
    expect([unit(InactiveExitTimestamp: started).older_than?([file.path]), unit(InactiveExitTimestamp: '').older_than?([file.path])]).to eq([false, false])
  end

  it 'has read a file when it was reloaded' do
    file = Tempfile.create('conf')
    started, reloaded = [-1, 1].map { |seconds| (File.mtime(file.path) + seconds).utc.strftime('%a %Y-%m-%d %H:%M:%S.%6N UTC') }
    state = unit(InactiveExitTimestamp: started, StateChangeTimestamp: reloaded)
    expect([state.older_than?([file.path]), state.older_than?([file.path], reload: true)]).to eq([true, false])
  end

  it 'is not active yet if systemd is to restart it' do
    expect([unit.active?, unit(Job: '1234').active?]).to eq([true, false])
    expect(unit(Job: '1234', Result: 'success').reason).to end_with('systemd has a job for it')
  end

  it 'treats a unit that cannot be enabled as enabled' do
    expect(%w(enabled static generated disabled masked).map { |state| unit(UnitFileState: state).enabled? }).to eq([true, true, true, false, false])
  end

  it 'finds a port on which something listens' do
    TCPServer.open('127.0.0.1', 0) { |socket| expect(described_class.listening).to include(socket.addr[1]) }
  end
end
