# frozen_string_literal: true

require 'webrick'

RSpec.describe OpenstackCommon::Rest do
  # A fake service, which records the requests. responses: what it answers, in this order; then {"things": []}.
  let(:asked) { [] }
  let(:responses) { [] }
  let(:tokens) { [] }
  let(:server) do
    WEBrick::HTTPServer.new(BindAddress: '127.0.0.1', Port: 0, Logger: WEBrick::Log.new(File::NULL), AccessLog: []).tap do |server|
      server.mount('/v2', Class.new(WEBrick::HTTPServlet::AbstractServlet) do
        define_method(:service) { |request, response| @options.first.call(request, response) }
      end, method(:answer))
      Thread.new { server.start }
    end
  end
  let(:rest) do
    described_class.new(name: 'Thing', url: "http://127.0.0.1:#{server.config[:Port]}/v2", timeout: 5, headers: { 'X-Version' => '2' }) do |renew|
      tokens << renew
      renew ? 'new' : 'old'
    end
  end

  after { server.shutdown }

  def answer(request, response)
    asked << [request.request_method, request.unparsed_uri.delete_prefix('/v2'), request.body].compact
    response.status, body = responses.shift || [200, { 'things' => [] }]
    response.body = body.is_a?(String) ? body : JSON.generate(body)
    @headers = request.to_enum(:each).to_h
  end

  context 'over TLS' do
    let(:key) { OpenSSL::PKey::EC.generate('prime256v1') }
    let(:certificate) do
      OpenSSL::X509::Certificate.new.tap do |made|
        made.subject = made.issuer = OpenSSL::X509::Name.parse('/CN=localhost')
        made.version = 2
        made.serial = 1
        made.not_before = Time.now - 60
        made.not_after = Time.now + 600
        made.public_key = key
        made.add_extension(OpenSSL::X509::ExtensionFactory.new.create_extension('subjectAltName', 'IP:127.0.0.1'))
        made.sign(key, 'SHA256')
      end
    end
    let(:server) do
      require 'webrick/https'
      WEBrick::HTTPServer.new(BindAddress: '127.0.0.1', Port: 0, SSLEnable: true, SSLCertificate: certificate, SSLPrivateKey: key,
                              Logger: WEBrick::Log.new(File::NULL), AccessLog: []).tap do |server|
        server.mount_proc('/v2/things') { |_, response| response.body = '{"things": []}' }
        Thread.new { server.start }
      end
    end

    def things(ca_file)
      described_class.new(name: 'Thing', url: "https://127.0.0.1:#{server.config[:Port]}/v2", timeout: 60, ca_file: ca_file).get('/things')
    end

    it 'accepts only a certificate of the CA that it was given' do
      Dir.mktmpdir do |directory|
        ca = File.join(directory, 'ca.pem')
        File.write(ca, certificate.to_pem)
        expect(things(ca)).to eq('things' => [])
      end
      expect { things(nil) }.to raise_error(OpenstackCommon::Rest::Error, /certificate verify failed/)
    end
  end

  it 'sends JSON with the token and its own headers' do
    rest.post('/things', { name: 'a' })
    expect(asked).to eq([['POST', '/things', '{"name":"a"}']])
    expect(@headers).to include('x-auth-token' => 'old', 'x-version' => '2', 'content-type' => 'application/json')
  end

  [
    ['next', { 'things' => [1], 'next' => '/v2/things?marker=1' }],
    ['a link', { 'things' => [1], 'things_links' => [{ 'rel' => 'previous' }, { 'rel' => 'next', 'href' => 'http://other/v2/things?marker=1' }] }],
    ['Keystone\'s links', { 'things' => [1], 'links' => { 'next' => 'http://other/v2/things?marker=1' } }],
  ].each do |form, first|
    it "follows #{form} to the next page, and asks only once" do
      responses.push([200, first], [200, { 'things' => [2] }])
      expect([rest.list('/things'), rest.list('/things')]).to eq([[1, 2], [1, 2]])
      expect(asked.map { |request| request[1] }).to eq(%w(/things /things?marker=1))
    end
  end

  it 'asks again after a change' do
    responses.push([200, { 'things' => [1] }], [204, ''], [200, { 'things' => [] }])
    expect(rest.list('/things?name=a')).to eq([1])
    rest.delete('/things/1')
    expect(rest.list('/things?name=a')).to eq([])
  end

  it 'logs in again, once, if the token has expired' do
    responses.push([401, ''], [200, { 'things' => [1] }])
    expect(rest.list('/things')).to eq([1])
    expect(tokens).to eq([false, true])
  end

  it 'retries while the service is starting' do
    responses.push([503, ''], [500, ''], [200, { 'things' => [1] }])
    expect(rest.list('/things')).to eq([1])
  end

  it 'does not repeat a POST that may have created something' do
    responses.push([500, { 'computeFault' => { 'message' => 'Unexpected' } }])
    expect { rest.post('/things', {}) }.to raise_error(described_class::Error, %r{POST /things: 500 Unexpected})
    expect(asked.size).to eq(1)
  end

  it 'says so at once if a POST gets no response' do
    TCPServer.open('127.0.0.1', 0) do |listener|
      closing = Thread.new { listener.accept.close }
      url = "http://127.0.0.1:#{listener.addr[1]}"
      expect { described_class.new(name: 'Thing', url: url).post('/things', {}) }
        .to raise_error(described_class::Error, /\AThing at #{url} does not respond \(.+\); check that Thing is running there\z/)
      closing.join
    end
  end

  it 'repeats a POST that was not accepted' do
    responses.push([503, ''], [201, { 'id' => '1' }])
    expect(rest.post('/things', {})).to eq('id' => '1')
  end

  {
    { 'badRequest' => { 'message' => 'Invalid input' } } => 'Invalid input',
    { 'NeutronError' => { 'type' => 'InvalidInput', 'message' => 'Bad CIDR' } } => 'Bad CIDR',
    '<html><title>403 Forbidden</title><body>Not <b>yours</b></body></html>' => '403 Forbidden Not yours',
  }.each do |body, message|
    it "reports the service's reason: #{message}" do
      responses.push([400, body])
      expect { rest.get('/things') }.to raise_error(described_class::Error, %r{\AThing at .*: GET /things: 400 #{message}\z}) { |error| expect(error.status).to eq(400) }
    end
  end

  it 'uploads a file' do
    Dir.mktmpdir do |directory|
      File.binwrite(File.join(directory, 'disk'), 'content')
      rest.upload('/things/1/file', File.join(directory, 'disk'))
    end
    expect(asked).to eq([['PUT', '/things/1/file', 'content']])
    expect(@headers).to include('content-type' => 'application/octet-stream')
  end
end
