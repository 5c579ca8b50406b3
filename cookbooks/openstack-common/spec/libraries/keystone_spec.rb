# frozen_string_literal: true

require 'webrick'

RSpec.describe OpenstackCommon::Keystone do
  # A fake Keystone with one user, which records the requests.
  let(:asked) { [] }
  let(:refusals) { [] }
  let(:server) do
    WEBrick::HTTPServer.new(BindAddress: '127.0.0.1', Port: 0, Logger: WEBrick::Log.new(File::NULL), AccessLog: []).tap do |server|
      server.mount_proc('/v3/') { |request, response| answer(request, response) }
      Thread.new { server.start }
    end
  end
  let(:keystone) { keystone_at(server.config[:Port]) }

  after { server.shutdown }

  def keystone_at(port, timeout: 5)
    described_class.new(url: "http://127.0.0.1:#{port}/v3", user: 'admin', password: 'right', project: 'admin', timeout: timeout)
  end

  def answer(request, response)
    asked << "#{request.request_method} #{request.unparsed_uri}"
    return response.status = refusals.shift if refusals.any?

    request.path == '/v3/auth/tokens' ? log_in(request, response) : objects(request, response)
  end

  def log_in(request, response)
    password = JSON.parse(request.body).dig('auth', 'identity', 'password', 'user', 'password')
    return response['X-Subject-Token'] = 'token' if password == 'right'

    response.status = 401
    response.body = JSON.generate('error' => { 'message' => 'The request requires authentication.' })
  end

  def objects(request, response)
    response.status = 403 unless request['X-Auth-Token'] == 'token'
    response.body = JSON.generate(
      'users' => [{ 'id' => '1', 'name' => 'nova' }], 'user' => { 'id' => '2' },
      'services' => [{ 'id' => 's1', 'type' => 'image' }, { 'id' => 's2', 'type' => 'compute' }],
      'endpoints' => [%w(s1 north http://i), %w(s2 north http://c), %w(s2 south http://d)].map do |service, region, url|
        { 'service_id' => service, 'region_id' => region, 'interface' => 'public', 'url' => url }
      end
    )
  end

  it 'logs in once and reuses the token' do
    expect(keystone.find('users', 'nova')).to include('id' => '1')
    expect(keystone.create('users', name: 'glance')).to eq('id' => '2')
    expect(asked).to eq(['POST /v3/auth/tokens', 'GET /v3/users?name=nova&domain_id=default', 'POST /v3/users'])
  end

  it 'finds the endpoints of services in a region, and asks for the catalog once' do
    expect(%w(image compute volume).map { |type| keystone.endpoints(type, 'north') }).to eq([{ 'public' => 'http://i' }, { 'public' => 'http://c' }, {}])
    expect(asked).to eq(['POST /v3/auth/tokens', 'GET /v3/services', 'GET /v3/endpoints'])
  end

  it 'tells a right password from a wrong one' do
    expect([keystone.password?('nova', 'right'), keystone.password?('nova', 'wrong')]).to eq([true, false])
  end

  it 'tries again while Keystone is starting' do
    refusals.push(503, 503)
    expect(keystone.password?('nova', 'right')).to be(true)
  end

  it 'does not retry a rejected request, and reports it without the password' do
    wrong = described_class.new(url: "http://127.0.0.1:#{server.config[:Port]}/v3", user: 'admin', password: 'secret', project: 'admin')
    expect { wrong.list('users') }.to raise_error(described_class::Error) { |error|
      expect(error.status).to eq(401)
      expect(error.message).to match(%r{POST /auth/tokens: 401 The request requires authentication}).and(satisfy { |text| !text.include?('secret') })
    }
  end

  it 'reports the URL if nothing responds' do
    closed = TCPServer.open('127.0.0.1', 0) { |socket| socket.addr[1] }
    expect { keystone_at(closed, timeout: 0).list('users') }
      .to raise_error(described_class::Error, %r{Keystone at http://127.0.0.1:#{closed}/v3 does not respond .*check that Keystone is running there})
  end
end
