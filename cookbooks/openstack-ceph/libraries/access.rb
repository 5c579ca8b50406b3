# frozen_string_literal: true

module OpenstackCeph
  # What the services may do in a cluster.
  module Access
    # @param pools [Hash] the names of the pools `volumes`, `images` and `backups`
    # @return [Hash{String => Hash}] the capabilities of Cinder and Glance, as for `ceph auth caps`
    def self.caps(pools)
      cinder = "profile rbd pool=#{pools['volumes']}, profile rbd pool=#{pools['backups']}"
      glance = "profile rbd pool=#{pools['images']}"
      {
        # volumes may be clones of images
        'cinder' => { 'mon' => 'profile rbd', 'mgr' => cinder, 'osd' => "#{cinder}, profile rbd-read-only pool=#{pools['images']}" },
        'glance' => { 'mon' => 'profile rbd', 'mgr' => glance, 'osd' => glance },
      }
    end
  end
end
