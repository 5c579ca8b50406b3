# frozen_string_literal: true

# What a member of the cluster has besides MariaDB: the program that tells HAProxy and the other members of its state, and
# recovers the cluster.

openstack_packages 'mariadb-backup'

directory '/usr/local/lib/openstack'

cookbook_file OpenstackDatabase::Galera::PROGRAM do
  source 'openstack_galera.py'
  mode '0755'
end

unit = "#{OpenstackDatabase::Galera::UNIT}.service"
address = openstack_bind_address('db')

systemd_unit unit do
  content(
    Unit: { Description: 'State and recovery of the Galera cluster', After: 'network-online.target', Wants: 'network-online.target' },
    Service: {
      ExecStart: [OpenstackDatabase::Galera::PROGRAM, 'serve', node.name, "#{address}:#{OpenstackDatabase::Galera::STATUS}",
                  *openstack_members.map { |member| "#{member.name}=#{member.address}" }].join(' '),
      # HAProxy takes an answer that comes late for a dead database, also while all CPUs are busy
      Nice: -10,
      Restart: 'always',
      RestartSec: 2,
      ProtectHome: true,
      PrivateTmp: true,
      NoNewPrivileges: true,
    },
    Install: { WantedBy: 'multi-user.target' }
  )
  action :create
end

openstack_service OpenstackDatabase::Galera::UNIT do
  ports [OpenstackDatabase::Galera::STATUS]
  internal_ports [OpenstackDatabase::Galera::STATUS]
  config [OpenstackDatabase::Galera::PROGRAM, "/etc/systemd/system/#{unit}"]
  wait true
end
