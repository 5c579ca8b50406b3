# frozen_string_literal: true

RSpec.describe 'openstack_registration' do
  include_context 'with a controller'
  step_into :openstack_registration

  # A fake Keystone: objects in memory, and a record of the changes.
  let(:keystone) do
    Class.new do
      attr_reader :changes

      def initialize(objects, held, password)
        @objects = objects
        @held = held
        @password = password
        @changes = []
      end

      def password?(_user, password)
        password == @password
      end

      def list(kind, **filters)
        @objects.fetch(kind, []).select { |object| filters.all? { |key, value| object[key.to_s] == value } }
      end

      def find(kind, name)
        list(kind, name: name).first
      end

      def create(kind, attributes)
        @changes << "create #{kind} #{attributes[:name] || attributes[:interface] || attributes[:id]}"
        object = { 'id' => kind + @changes.size.to_s }.merge(attributes.transform_keys(&:to_s))
        (@objects[kind] ||= []) << object
        object
      end

      def update(kind, id, attributes)
        @changes << "update #{kind} #{id} #{attributes.keys.join}"
        list(kind, id: id).first.merge!(attributes.transform_keys(&:to_s))
      end

      def roles_of(*)
        @held
      end

      def assign(_user, _project, role)
        @changes << "assign #{role}"
      end

      def service(type)
        list('services', type: type).first
      end

      def endpoints(type, region)
        service = service(type)
        service ? list('endpoints', service_id: service['id'], region_id: region).to_h { |found| found.values_at('interface', 'url') } : {}
      end
    end.new(objects, held, 'service_passwords-glance-password')
  end

  let(:objects) { Marshal.load(Marshal.dump(complete)) }
  let(:held) { %w(admin service) }
  let(:complete) do
    {
      'users' => [{ 'id' => 'u', 'name' => 'glance' }], 'projects' => [{ 'id' => 'p', 'name' => 'service' }],
      'roles' => [{ 'id' => 'admin', 'name' => 'admin' }, { 'id' => 'service', 'name' => 'service' }],
      'regions' => [{ 'id' => 'RegionOne' }], 'services' => [{ 'id' => 's', 'type' => 'image', 'name' => 'glance' }],
      'endpoints' => %w(public internal admin).map do |interface|
        { 'id' => interface, 'service_id' => 's', 'interface' => interface, 'url' => 'http://192.0.2.10:9292', 'region_id' => 'RegionOne' }
      end
    }
  end

  before { allow(OpenstackCommon::Keystone).to receive(:new).and_return(keystone) }

  recipe do
    openstack_registration 'glance' do
      service_type 'image'
      endpoints openstack_endpoints('image')
    end
  end

  it 'changes nothing if everything is up to date' do
    chef_run
    expect(keystone.changes).to be_empty
  end

  context 'with an empty Keystone' do
    let(:complete) { {} }
    let(:held) { [] }

    before { allow(keystone).to receive(:password?).and_return(false) }

    it 'creates user, project, role, service, region and endpoints; the user is no administrator' do
      chef_run
      expect(keystone.changes.grep(/create/)).to eq(
        ['create users glance', 'create projects service', 'create roles service', 'create services glance',
         'create regions RegionOne', 'create endpoints public', 'create endpoints internal', 'create endpoints admin']
      )
    end
  end

  context 'when the URLs have changed' do
    before { objects['endpoints'].first['url'] = 'http://198.51.100.1:9292' }

    it 'updates the endpoints and nothing else' do
      chef_run
      expect(keystone.changes).to all(start_with('update endpoints'))
      expect(objects['endpoints'].map { |endpoint| endpoint['url'] }.uniq).to eq(['http://192.0.2.10:9292'])
    end
  end

  context 'when the password no longer logs in' do
    before { allow(keystone).to receive(:password?).and_return(false) }

    it 'sets it' do
      chef_run
      expect(keystone.changes).to eq(['update users u password'])
    end
  end

  context 'when a role is missing' do
    let(:held) { %w(admin reader) }

    it 'assigns the missing role' do
      chef_run
      expect(keystone.changes).to eq(['assign service'])
    end
  end
end
