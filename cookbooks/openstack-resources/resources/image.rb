# frozen_string_literal: true

provides :openstack_image
unified_mode true

description 'Creates or updates an image. If the checksum changes, a new image gets the name; the old one is hidden, not deleted, because its instances may still need it. An image whose checksum is right is not downloaded again.'

property :image_name, String, name_property: true
property :source, String, required: [:create], desired_state: false, description: 'The path of a file on this node, or a URL'
property :checksum, String, coerce: proc(&:downcase), regex: /\A(\h{64}|\h{128})\z/,
                            description: 'SHA-256 or SHA-512 in hexadecimal digits; required for URLs. Default: that of the file'
property :project, String, default: 'admin', desired_state: false, description: 'The project to which it belongs'
property :disk_format, String, default: 'qcow2', equal_to: %w(raw qcow2 vmdk vdi vhd vhdx iso ami aki ari)
property :container_format, String, default: 'bare'
property :visibility, String, default: 'public', equal_to: %w(public private shared community)
property :protected, [true, false], default: false, description: 'Whether Glance refuses to delete it'
property :min_ram, Integer, default: 0, description: 'MiB that a flavor must have'
property :min_disk, Integer, default: 0, description: 'GiB that a flavor must have'
property :properties, Hash, default: {}, coerce: proc { |properties| properties.to_h { |key, value| [key.to_s, value.to_s] } },
                            description: 'Such as hw_rng_model or os_type; other properties of the image are kept'
property :id, String, desired_state: false, skip_docs: true

load_current_value do |desired|
  found = openstack_image_objects(desired.image_name, desired.project).find { |image| image['status'] == 'active' }
  current_value_does_not_exist! unless found

  id found['id']
  algorithm = desired.checksum ? OpenstackResources::Checksum.algorithm(desired.checksum) : 'sha512'
  # Glance computes one checksum itself; the one that the recipe had is a property
  known = found['os_hash_algo'] == algorithm ? found['os_hash_value'] : found["source_#{algorithm}"]
  checksum known if known
  %w(disk_format container_format visibility protected min_ram min_disk).each { |name| public_send(name, found[name]) }
  properties found.slice(*desired.properties.keys)
end

action :create do
  ensure_checksum

  if current_resource
    replaced = converge_if_changed(:disk_format, :container_format, :checksum) { replace }
    converge_if_changed(:visibility, :protected, :min_ram, :min_disk, :properties) { change(current_resource.id, changeable) } unless replaced
    hide_older unless replaced
  else
    converge_if_changed { create }
  end
end

action :delete do
  converge_by("delete image #{new_resource.image_name}") { glance.delete("/v2/images/#{current_resource.id}") } if current_resource
end

action_class do
  def glance
    openstack_api('image')
  end

  def remote?
    new_resource.source.match?(%r{\A\w+://})
  end

  # A file's own checksum tells whether Glance has its content.
  def ensure_checksum
    return if new_resource.checksum
    raise "image #{new_resource.image_name}: checksum is required for a URL; set it to the SHA-256 or SHA-512 that its site shows" if remote?
    return if whyrun_mode? && !::File.exist?(new_resource.source)

    new_resource.checksum(OpenstackResources::Checksum.of(new_resource.source, 'sha512'))
  end

  # @return [Hash] the attributes that an image keeps
  def fixed
    {
      'name' => new_resource.image_name, 'owner' => openstack_project_id(new_resource.project),
      'disk_format' => new_resource.disk_format, 'container_format' => new_resource.container_format
    }
  end

  # @return [Hash] the attributes that Glance can change
  def changeable
    %i(visibility protected min_ram min_disk).to_h { |name| [name.to_s, new_resource.public_send(name)] }.merge(new_resource.properties)
  end

  def replace
    create
    change(current_resource.id, 'os_hidden' => true)
  end

  # Those of a run that was interrupted when it had uploaded the new one. Glance lists the newest first.
  def hide_older
    older = openstack_image_objects(new_resource.image_name, new_resource.project).select do |image|
      image['id'] != current_resource.id && image['status'] == 'active' && image.keys.any? { |key| key.start_with?('source_sha') }
    end
    older.each { |image| converge_by("hide image #{image['id']}, which #{current_resource.id} replaces") { change(image['id'], 'os_hidden' => true) } }
  end

  def create
    # from runs that were interrupted
    openstack_image_objects(new_resource.image_name, new_resource.project)
      .each { |image| glance.delete("/v2/images/#{image['id']}") if image['status'] == 'queued' && image.key?("source_#{algorithm}") }

    with_file do |path|
      OpenstackResources::Checksum.verify!(path, new_resource.checksum, new_resource.source)
      image = glance.post('/v2/images', { "source_#{algorithm}" => new_resource.checksum, **fixed, **changeable })
      glance.upload("/v2/images/#{image['id']}/file", path)
    end
  end

  def algorithm
    OpenstackResources::Checksum.algorithm(new_resource.checksum)
  end

  def with_file
    return yield new_resource.source unless remote?

    path = ::File.join(Chef::Config[:file_cache_path], "image-#{new_resource.checksum[0, 16]}")
    remote_file(path) { source new_resource.source }
    yield path
    file(path) { action :delete }
  end

  def change(id, attributes)
    operations = attributes.map { |key, value| { op: 'add', path: "/#{key}", value: value } }
    glance.patch("/v2/images/#{id}", operations, type: 'application/openstack-images-v2.1-json-patch')
  end
end
