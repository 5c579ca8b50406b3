# frozen_string_literal: true

module OpenstackResources
  # The image that openstack_test_image builds.
  module TestImage
    PATH = '/var/lib/openstack/test-image.raw'

    # @return [Hash] the properties of openstack_image for it
    def self.image
      {
        'source' => PATH, 'disk_format' => 'raw', 'min_ram' => 128,
        'properties' => { 'os_type' => 'linux', 'hw_rng_model' => 'virtio', 'os_admin_user' => 'root' }
      }
    end
  end
end
