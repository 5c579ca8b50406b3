# frozen_string_literal: true

provides :openstack_firewall
unified_mode true

description 'Lets only the nodes of the cloud connect to the internal ports of this node, with a table of nftables of its own. Every openstack_service declares it.'

property :ports, Array, default: [], description: 'TCP ports, and ranges such as 5900-6079'
property :sources, Array, coerce: proc { |texts| OpenstackCommon::Firewall.sources(texts) }, default: [],
                          description: 'Addresses and networks that may connect'

action :create do
  next action_delete if new_resource.ports.empty?

  table = "table inet #{OpenstackCommon::Firewall::TABLE}"

  openstack_packages 'nftables'

  file OpenstackCommon::Firewall::FILE do
    content OpenstackCommon::Firewall.render(new_resource.ports, new_resource.sources)
    mode '0644'
  end

  # Debian's nftables.service deletes all tables when it restarts or reloads, so this unit does the same after it.
  systemd_unit "#{OpenstackCommon::Firewall::UNIT}.service" do
    content(
      Unit: {
        Description: 'Firewall of the internal OpenStack services',
        DefaultDependencies: false,
        After: 'nftables.service',
        PartOf: 'nftables.service',
        ReloadPropagatedFrom: 'nftables.service',
        Wants: 'network-pre.target',
        Before: 'network-pre.target shutdown.target',
        Conflicts: 'shutdown.target',
      },
      Service: {
        Type: 'oneshot',
        RemainAfterExit: true,
        ExecStart: "/usr/sbin/nft --file #{OpenstackCommon::Firewall::FILE}",
        ExecReload: "/usr/sbin/nft --file #{OpenstackCommon::Firewall::FILE}",
        # also if another program has deleted the table
        ExecStop: "/usr/sbin/nft 'add #{table}; delete #{table}'",
      },
      Install: { WantedBy: 'sysinit.target' }
    )
    action :create
  end

  # not by a restart of the unit, which would let everybody in for a moment
  execute 'load the firewall' do
    command ['nft', '--file', OpenstackCommon::Firewall::FILE]
    not_if { OpenstackCommon::Firewall.loaded?(new_resource.ports, new_resource.sources) }
  end

  openstack_service OpenstackCommon::Firewall::UNIT
end

action :delete do
  unit = "#{OpenstackCommon::Firewall::UNIT}.service"
  next unless ::File.exist?("/etc/systemd/system/#{unit}")

  # stopping it deletes the table
  systemd_unit unit do
    action %i(stop disable delete)
  end

  file OpenstackCommon::Firewall::FILE do
    action :delete
  end
end
