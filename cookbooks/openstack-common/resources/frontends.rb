# frozen_string_literal: true

provides :openstack_frontends
unified_mode true

description 'Puts HAProxy in front of the services of this node, for TLS, and for the virtual address of several controllers. Without both, HAProxy is removed from the node\'s services.'

property :services, Array, default: [], description: 'Services that speak HTTP; `db`, `memcached` and `ovn_nb`'
property :first_only_services, Array, default: [], description: 'Those of which only the first of several controllers may answer'
property :certificate, Hash, default: lazy { openstack_tls? ? openstack_certificate : {} }, sensitive: true, description: '`certificate`, `key` and `ca` as PEM'

def after_created
  return unless openstack_frontends?

  (node.run_state[:openstack_packages] ||= []) << 'haproxy'
  # the recipe of compute nodes disables the unit otherwise
  node.run_state[:openstack_frontends] = true
end

action :create do
  # it would lose the services of the other recipes
  next if openstack_partial_run? && OpenstackCommon::Frontends.ours?

  openstack_frontends? ? accept : remove
end

action_class do
  def accept
    openstack_packages 'haproxy'

    certificates if openstack_tls?
    openstack_tls_files OpenstackCommon::Frontends::INTERNAL do
      group 'root' # HAProxy reads them as root
    end
    make_room

    file OpenstackCommon::Frontends::CONFIG do
      content OpenstackCommon::Frontends.render(sections, several: openstack_member?)
      owner 'root'
      group 'root'
      mode '0644'
      verify 'haproxy -c -f %{path}'
    end

    openstack_service 'haproxy' do
      ports sections.flat_map(&:binds).map(&:port).uniq
      internal_ports node.run_state[:openstack_internal_ports].to_a
      config [OpenstackCommon::Frontends::CONFIG, *certificate_files]
      reload true
      wait true
    end

    # it has read a configuration without it
    remove_file OpenstackCommon::Frontends::CERTIFICATE unless openstack_tls?
  end

  def remove_file(path)
    file path do
      backup false
      action :delete
    end
  end

  def certificates
    directory ::File.dirname(OpenstackCommon::Frontends::CA) do
      mode '0755'
    end

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
      backup false
    end

    public = new_resource.services.select { |name| known(name)[:tls] }
    node.default['openstack']['public_urls'] = public.to_h { |name| [name, public_url(name)] }
  end

  def certificate_files
    [*(OpenstackCommon::Frontends::CERTIFICATE if openstack_tls?),
     *(openstack_tls_paths(OpenstackCommon::Frontends::INTERNAL).values if openstack_tls_all?)]
  end

  # Services that still listen where HAProxy is to do so, because internal connections were not encrypted before, stop. Their recipes
  # start them again, at another address.
  def make_room
    return unless openstack_tls_all?

    ports = sections.flat_map(&:binds).select { |bind| bind.address == openstack_address }.map(&:port)
    taken = ports & OpenstackCommon::Frontends.taken(openstack_address)
    return if taken.empty?

    node.read('openstack', 'services').to_h.each do |unit, declared|
      next unless declared['ports'].intersect?(taken)

      service unit do
        action :stop
      end
    end

    # an interrupted run may have written it, and HAProxy not loaded it
    file OpenstackCommon::Frontends::CONFIG do
      action :touch
      only_if { OpenstackCommon::Frontends.ours? }
    end
  end

  def remove
    return unless OpenstackCommon::Frontends.ours?

    service 'haproxy' do
      action %i(stop disable)
    end

    # the configuration last: it says that there is something to remove
    remove_file OpenstackCommon::Frontends::CERTIFICATE
    remove_file OpenstackCommon::Frontends::CONFIG
  end

  # @return [Array<OpenstackCommon::Frontends::Section>]
  def sections
    @sections ||= new_resource.services.flat_map do |name|
      case name
      when 'db' then database
      when 'memcached' then memcached
      when 'ovn_nb' then northbound
      else http(name)
      end
    end + tunnels
  end

  # @return [Array] for a service that speaks HTTP: the section of its clients, and what else it needs
  def http(name)
    binds = binds(name)
    rules = [*(openstack_member? ? check(name) : []), *forwarded(name, binds)]
    found = [section(name, :http, binds, rules, servers(name))]
    if openstack_tls_all?
      found << node_section(name) if openstack_member?
      found << redirect if name == 'dashboard'
    end
    found.reject { |each| each.binds.empty? }
  end

  def binds(name)
    [
      (bind(front(name), openstack_port(name), internal) if (openstack_member? || internal) && !redirected?(name)),
      *(public_fronts(name).map { |address| bind(address, openstack_port(name, 'public'), :public) } if openstack_tls? && known(name)[:tls]),
    ].compact
  end

  def servers(name)
    return [server(name, reachable(name), openstack_port(name))] unless openstack_member?

    members = new_resource.first_only_services.include?(name) ? openstack_members.first(1) : openstack_members
    members.map { |member| server(member.name, member.address, node_port(name), openstack_tls_all?, 'check') }
  end

  # What HAProxy of another controller connects to, over TLS.
  def node_section(name)
    binds = [bind(openstack_address, node_port(name), :internal)]
    rules = forwarded(name, binds, trusted: openstack_members.map(&:address))
    section("#{name}-node", :http, binds, rules, [server(name, reachable(name), openstack_port(name))])
  end

  # Horizon's users may have typed http://
  def redirect
    section('dashboard-redirect', :http, [bind(front('dashboard'), openstack_port('dashboard'))],
            ["http-request redirect code 302 location #{public_url('dashboard')}"], [])
  end

  # Metadata are only for Neutron's agents. They tell which instance asks in X-Forwarded-For.
  def forwarded(name, binds, trusted: [])
    name == 'metadata' ? ['option forwardfor if-none'] : OpenstackCommon::Frontends.forwarded(binds, trusted: trusted)
  end

  def check(name)
    headers = ["hdr Host #{openstack_host(name, 'public')}", *('hdr X-Forwarded-Proto https' if openstack_tls?)]
    ['option httpchk', "http-check send meth GET uri #{known(name)[:check]} ver HTTP/1.1 #{headers.join(' ')}",
     OpenstackCommon::Frontends::CHANGES]
  end

  # All controllers write to the same node: what one has written, another one reads at once.
  #
  # If HAProxy marks a server as down that it is just connecting to, it never ends that session (3.0.11), and a service waits for the
  # greeting of the database. So it connects to a section of its own for each server, which is always there and has no checks.
  def database
    return [] unless openstack_member?

    port = openstack_port('db')
    relays = openstack_members.each_with_index.to_h { |member, index| [member, port + 1 + index] }
    servers = relays.map do |member, relay|
      check = "check addr #{member.address} port #{OpenstackCommon::Frontends::GALERA_CHECK}"
      first = member == openstack_members.first
      server(member.name, loopback, relay, false, [check, first ? 'on-marked-up shutdown-backup-sessions' : 'backup'])
    end
    binds = [loopback, openstack_virtual_address].map { |address| bind(address, port) }
    [section('db', :tcp, binds, ['option httpchk GET /'], servers)] + relays.map do |member, relay|
      section("db-#{member.name}", :tcp, [bind(loopback, relay)], [], [server(member.name, member.address, port)])
    end
  end

  # Leads Neutron to the leader of OVN's northbound database. Neutron itself tries one member after the other, also the one that has died,
  # and waits longer each time.
  def northbound
    return [] unless openstack_member?

    port = openstack_port('ovn_nb')
    # OVN ends connections that resume a TLS session
    secure = %W(check-ssl no-ssl-reuse verify required ca-file #{OpenstackCommon::Tls::CA} crt @internal/node) if openstack_tls_all?
    servers = openstack_members.map { |member| server(member.name, member.address, port, false, ['check', 'rise 1', *secure]) }
    rules = ['option tcp-check', "tcp-check send '#{OpenstackCommon::Frontends::OVN_LEADER}'", "tcp-check expect string '\"leader\":true'"]
    [section('ovn_nb', :tcp, [bind(loopback, port)], rules, servers)]
  end

  # Lets other nodes reach memcached over TLS.
  def memcached
    return [] unless openstack_tls_all?

    port = openstack_port('memcached')
    [section('memcached', :tcp, [bind(openstack_address, port, :internal)], [], [server('memcached', loopback, port)])]
  end

  def tunnels
    openstack_memcached_tunnels.map do |port, member|
      own = member.address == openstack_address
      server = server(member.name, own ? loopback : member.address, openstack_port('memcached'), !own, 'check')
      section("memcached-#{member.name || member.address}", :tcp, [bind(loopback, port)], [], [server])
    end
  end

  # @return [String] the address at which clients reach the service
  def front(name)
    return openstack_virtual_address if openstack_member?

    openstack_tls_all? ? openstack_address : openstack_bind_address(name)
  end

  def public_front(name)
    node.dig('openstack', 'bind_service', 'public', name, 'host') || front(name)
  end

  # A controller that shares an address still answers at its own: clients may know that of the time when there was one.
  # Horizon's port is that of its node section.
  def public_fronts(name)
    [public_front(name), *(openstack_address if openstack_member? && !redirected?(name))].uniq
  end

  def reachable(name)
    OpenstackCommon::Frontends.reachable(openstack_bind_address(name)) || openstack_address
  end

  # Port 80 has no TLS, and redirects.
  def redirected?(name)
    name == 'dashboard' && openstack_tls_all?
  end

  def node_port(name)
    openstack_port(name, redirected?(name) ? 'public' : 'internal')
  end

  def internal
    :internal if openstack_tls_all?
  end

  def public_url(name)
    openstack_url(name, 'public').sub(':443/', '/')
  end

  def known(name)
    OpenstackCommon::Helpers::SERVICES.fetch(name)
  end

  def loopback
    OpenstackCommon::Helpers::LOOPBACK
  end

  def bind(...)
    OpenstackCommon::Frontends::Bind.new(...)
  end

  def server(...)
    OpenstackCommon::Frontends::Server.new(...)
  end

  def section(...)
    OpenstackCommon::Frontends::Section.new(...)
  end
end
