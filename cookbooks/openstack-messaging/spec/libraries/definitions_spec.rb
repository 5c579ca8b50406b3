# frozen_string_literal: true

RSpec.describe OpenstackMessaging::Definitions do
  def render(password, existing = nil)
    described_class.render('openstack', password, existing, vhost: 'services')
  end

  def password_hash(text)
    JSON.parse(text)['users'].first['password_hash']
  end

  it 'contains the password as RabbitMQ stores it' do
    # from RabbitMQ's documentation: salt 908DC60A, password test12
    documented = 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR'
    existing = JSON.generate(users: [{ password_hash: documented }])
    expect(password_hash(render('test12', existing))).to eq(documented)
  end

  it 'stays the same until the password changes' do
    first = render('pässword')
    expect(render('pässword', first)).to eq(first)
    expect(password_hash(render('another', first))).not_to eq(password_hash(first))
  end

  it 'uses another salt on each node' do
    expect(render('same')).not_to eq(render('same'))
  end
end
