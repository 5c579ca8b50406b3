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

  it 'keeps the virtual hosts of services that have not converged yet' do
    definitions = JSON.parse(described_class.render('openstack', 'p', nil, vhost: 'openstack-cluster', former: %w(openstack)))
    names = %w(/ openstack-cluster openstack)
    expect(definitions['vhosts'].map { |each| each['name'] }).to eq names
    expect(definitions['permissions'].map { |each| each['vhost'] }).to eq names
  end
end
