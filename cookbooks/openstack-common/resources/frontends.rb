# frozen_string_literal: true

provides :openstack_frontends
unified_mode true

description 'Lets HAProxy accept TLS for the public endpoints of this node, and pass requests on to the services. Without openstack.tls.mode, HAProxy is removed from the node\'s services.'

property :services, Array, default: [], description: 'Services with a public endpoint'
property :certificate, Hash, default: lazy { openstack_certificate }, sensitive: true, description: '`certificate`, `key` and `ca` as PEM'

def after_created
  return unless openstack_tls?

  (node.run_state[:openstack_packages] ||= []) << 'haproxy'
  # the recipe of compute nodes disables the unit otherwise
  node.run_state[:openstack_frontends] = true
end

action :create do
  openstack_tls? ? accept : remove
end

action_class do
  def accept
    openstack_packages 'haproxy'

    directory ::File.dirname(OpenstackCommon::Frontends::CA)

    # for programs on this node
    file OpenstackCommon::Frontends::CA do
      content new_resource.certificate['ca']
      mode '0644'
      action new_resource.certificate['ca'].empty? ? :delete : :create
    end

    # HAProxy reads it as root
    file OpenstackCommon::Frontends::CERTIFICATE do
      content new_resource.certificate.values_at('certificate', 'key').map { |pem| "#{pem.chomp}\n" }.join # a user's may lack the line's end
      owner 'root'
      group 'root'
      mode '0600'
      sensitive true
    end

    file OpenstackCommon::Frontends::CONFIG do
      content OpenstackCommon::Frontends.render(frontends)
      owner 'root'
      group 'root'
      mode '0644'
      verify 'haproxy -c -q -f %{path}'
    end

    node.default['openstack']['public_urls'] = new_resource.services.to_h { |name| [name, openstack_url(name, 'public').sub(':443/', '/')] }

    openstack_service 'haproxy' do
      ports frontends.map { |frontend| frontend[:port] }.uniq
      config [OpenstackCommon::Frontends::CONFIG, OpenstackCommon::Frontends::CERTIFICATE]
      reload true
      wait true
    end
  end

  def remove
    return unless OpenstackCommon::Frontends.ours?

    service 'haproxy' do
      action %i(stop disable)
    end

    [OpenstackCommon::Frontends::CONFIG, OpenstackCommon::Frontends::CERTIFICATE].each do |path|
      file path do
        action :delete
      end
    end
  end

  def frontends
    new_resource.services.map do |name|
      listening = openstack_bind_address(name)
      {
        name: name,
        address: node.dig('openstack', 'bind_service', 'public', name, 'host') || listening,
        port: openstack_port(name, 'public'),
        server: "#{OpenstackCommon::Frontends.reachable(listening) || openstack_address}:#{openstack_port(name)}",
      }
    end
  end
end
