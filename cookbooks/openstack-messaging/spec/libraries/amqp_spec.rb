# frozen_string_literal: true

RSpec.describe OpenstackMessaging::Amqp do
  LIMITS = [2047, 131_072].pack('nN') # of channels, and of a frame's size

  let(:server) { TCPServer.new('127.0.0.1', 0) }
  let(:received) { [] }

  after { server.close }

  def frame(method)
    payload = [10, method].pack('nn')
    payload += LIMITS + [60].pack('n') if method == 30
    [1, 0, payload.bytesize].pack('CnN') + payload + "\xCE".b
  end

  # Accepts one client, and responds to its frames; nil: with nothing. Then closes the connection.
  def serve(*methods)
    Thread.new do
      client = server.accept
      received << client.read(8)
      client.write(frame(10))
      methods.each do |method|
        received << client.read(client.read(7).unpack1('@3N') + 1)
        client.write(frame(method)) if method
      end
      client.close
    end
  end

  def login?(password = 'secret')
    described_class.login?('127.0.0.1', server.addr[1], 'openstack', password)
  end

  it 'logs in with AMQP 0-9-1, and closes the connection' do
    serving = serve(30, nil, 41, 51)
    expect(login?('pässword')).to be(true)
    serving.join
    expect(received.first).to eq("AMQP\x00\x00\x09\x01".b)
    expect(received[1]).to include("\0openstack\0pässword".b)
    expect(received.map { |payload| payload.unpack1('@2n') }.drop(1)).to eq([11, 31, 40, 50])
    expect(received[2]).to include(LIMITS + [0].pack('n'))
  end

  it 'is false if RabbitMQ closes the connection after a wrong password' do
    serve(50)
    expect(login?).to be(false)
  end

  it 'fails if RabbitMQ closes the connection without an answer' do
    serve(nil)
    expect { login? }.to raise_error(EOFError)
  end

  it 'is false if the user may not use the virtual host' do
    serve(30, nil, 50)
    expect(login?).to be(false)
  end

  it 'fails if nothing listens on the port' do
    port = server.addr[1]
    server.close
    expect { described_class.login?('127.0.0.1', port, 'openstack', 'secret') }.to raise_error(Errno::ECONNREFUSED)
  end
end
