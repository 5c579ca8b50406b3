# frozen_string_literal: true

# A service with lists of objects, which records the requests that change something.
class FakeService
  attr_reader :changes

  # @param objects [Hash] {path without query => list, or response}
  def initialize(objects, changes)
    @objects = objects
    @changes = changes
  end

  def list(path, _key = nil)
    @objects.fetch(path[/\A[^?]+/], [])
  end

  def get(path)
    @objects.fetch(path)
  end

  def post(path, body)
    @changes << [:post, path, body]
    { 'id' => 'new', 'flavor' => { 'id' => 'new' } }
  end

  def put(path, body = nil)
    @changes << [:put, path, body]
  end

  def patch(path, body, type:)
    @changes << [:patch, path, body, type]
  end

  def delete(path)
    @changes << [:delete, path]
  end

  def upload(path, file)
    @changes << [:upload, path, File.read(file)]
  end
end

# Keystone with the projects admin and demo (their IDs are `id-NAME`).
class FakeKeystone
  attr_reader :changes

  def initialize(objects, passwords, roles, changes)
    @objects = objects
    @passwords = passwords
    @roles = roles
    @changes = changes
  end

  def find(kind, name)
    @objects.fetch(kind).find { |object| object['name'] == name }
  end

  def password?(user, password)
    @passwords[user] == password
  end

  def roles_of(*)
    @roles
  end

  def create(kind, attributes)
    @changes << [:create, kind, attributes]
    @objects.fetch(kind) << { 'id' => "id-#{attributes[:name]}", 'name' => attributes[:name] }
  end

  def update(kind, id, attributes)
    @changes << [:update, kind, id, attributes]
  end

  def assign(user_id, project_id, role_id)
    @changes << [:assign, user_id, project_id, role_id]
  end
end

# For the specs of resources: `nova`, `glance`, `neutron` and `cinder` are the objects of the cloud, `changes` the requests.
RSpec.shared_context 'with a cloud' do
  include_context 'with a controller'

  let(:changes) { [] }
  let(:nova) { {} }
  let(:glance) { {} }
  let(:neutron) { {} }
  let(:cinder) { {} }
  let(:keystone_objects) do
    {
      'projects' => %w(admin demo).map { |name| { 'id' => "id-#{name}", 'name' => name, 'enabled' => true, 'description' => '' } },
      'users' => %w(admin).map { |name| { 'id' => "id-#{name}", 'name' => name } },
      'roles' => %w(member reader).map { |name| { 'id' => "id-#{name}", 'name' => name } },
    }
  end
  let(:passwords) { {} }
  let(:held_roles) { [] }

  before do
    services = { 'Nova' => nova, 'Glance' => glance, 'Neutron' => neutron, 'Cinder' => cinder }.transform_values { |objects| FakeService.new(objects, changes) }
    allow(OpenstackCommon::Rest).to receive(:new) { |name:, **| services.fetch(name) }
    allow(OpenstackCommon::Keystone).to receive(:new).and_return(FakeKeystone.new(keystone_objects, passwords, held_roles, changes))
  end
end

RSpec.shared_examples 'up to date' do
  it 'changes nothing' do
    chef_run
    expect(changes).to be_empty
  end
end
