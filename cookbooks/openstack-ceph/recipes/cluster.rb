# frozen_string_literal: true

# A Ceph cluster of one monitor, one manager and one OSD on each of its nodes. OSDs store everything in a file. One node stores
# data once, which is for labs; three store it three times. README.md says how to use an existing cluster instead.

raise 'openstack.ceph.mon_hosts names an existing Ceph cluster; remove recipe[openstack-ceph::cluster] from this node, or the attribute' if node['openstack']['ceph']['mon_hosts']

id = node['hostname']
conf = OpenstackCommon::Ceph::CONF
mon = "/var/lib/ceph/mon/ceph-#{id}"
mgr = "/var/lib/ceph/mgr/ceph-#{id}"
address = openstack_address
members = openstack_ceph_members
several = members.length > 1

openstack_packages 'ceph' do
  packages %w(ceph-mon ceph-mgr ceph-osd nftables) + OpenstackCommon::Ceph::PACKAGES
end

# without these, daemons listen on all addresses, and a monitor can't join
listens = { 'public_addr' => address, 'cluster_addr' => address }
once = {
  'osd_pool_default_size' => 1,
  'osd_pool_default_min_size' => 1,
  'osd_crush_chooseleaf_type' => 0,
  'mon_warn_on_pool_no_redundancy' => false,
}

openstack_ceph_conf(
  'global' => {
    **(several ? { 'osd_pool_default_size' => [members.length, 3].min } : once),
    'osd_pool_default_pg_num' => 8,
    # until other nodes have joined
    'mon_allow_pool_size_one' => true,
    'auth_allow_insecure_global_id_reclaim' => false,
    # v1 can't encrypt
    **(openstack_tls_all? ? { 'ms_bind_msgr1' => false } : {}),
  },
  **(several ? { 'mon' => { 'public_addr' => address } } : {}),
  'mgr' => listens,
  'osd' => listens.merge(
    'bluestore_block_size' => node['openstack']['ceph']['osd']['size'] * 1024**3,
    # the least that Ceph accepts
    'osd_memory_target' => 896 * 1024**2
  )
)

# The keys of all monitors and of the administrator. A cluster on one node that was made with keys of its own keeps them until
# there are more nodes.
keyring = '/etc/ceph/ceph.mon.keyring'
administrator = '/etc/ceph/ceph.client.admin.keyring'
common_keys = several || File.exist?(keyring) || !Dir.exist?(mon)

if common_keys
  file keyring do
    content OpenstackCommon::Ceph.keyring('mon.', openstack_ceph_key('mon'), 'mon' => 'allow *')
    mode '0600'
    sensitive true
  end

  file administrator do
    content OpenstackCommon::Ceph.keyring('client.admin', openstack_ceph_key('admin'), 'mon' => 'allow *', 'mgr' => 'allow *', 'osd' => 'allow *')
    mode '0600'
    sensitive true
  end
end

at = openstack_tls_all? ? "[v2:#{address}:3300]" : "[v2:#{address}:3300,v1:#{address}:6789]"

openstack_ceph_monitor id do
  addresses at
  fsid node['openstack']['ceph']['fsid']
  keyrings [keyring, administrator]
  peers members.reject { |member| member.name == node.name }
  known openstack_ceph_known
  creates members.first.name == node.name
end

# A monitor has its address in its store, too. With another one than the node's it can't run; what it has is read while it
# does not. As `ceph`: files that root makes in the store are unreadable for the monitor.
as_ceph = "ceph-mon --id #{id} --setuser ceph --setgroup ceph"
move = <<~SHELL
  set -eu
  systemctl stop ceph-mon@#{id}
  #{as_ceph} --extract-monmap #{mon}.map
  monmaptool --rm #{id} --addv #{id} '#{at}' #{mon}.map
  #{as_ceph} --inject-monmap #{mon}.map
  rm #{mon}.map
SHELL
refuse = <<~SHELL
  echo "other monitors know #{id} by another address than #{address}. Give the node its old one, or make a new monitor, which joins the others: rm -r #{mon}" >&2
  exit 1
SHELL
execute 'move the Ceph monitor to the new address of its node' do
  command several ? refuse : move
  # one that joins is not in its map yet
  not_if <<~SHELL
    systemctl is-active --quiet ceph-mon@#{id} && exit
    #{as_ceph} --extract-monmap #{mon}.map || exit
    own=$(monmaptool --print #{mon}.map | grep ' mon.#{id}$') || exit 0
    rm #{mon}.map
    echo "$own" | grep --fixed-strings 'v2:#{address}:3300/'
  SHELL
end

openstack_service "ceph-mon@#{id}" do
  ports openstack_tls_all? ? [3300] : [3300, 6789]
  internal_ports [3300, 6789]
  log "/var/log/ceph/ceph-mon.#{id}.log"
  config conf
  wait true
end

# With the monitor's key, which is valid until the end: after an interruption, the next run begins with it again.
execute 'give the Ceph cluster the common keys' do
  command <<~SHELL
    set -eu
    ceph --name mon. --keyring #{mon}/keyring auth import --in-file #{administrator}
    install --owner=ceph --group=ceph --mode=0600 #{keyring} #{mon}.keyring
    mv #{mon}.keyring #{mon}/keyring
    systemctl restart ceph-mon@#{id}
  SHELL
  only_if { common_keys && !File.read("#{mon}/keyring").include?(openstack_ceph_key('mon')) }
end

openstack_ceph_monitor "join with #{id}" do
  id id
  addresses at
  action :join
end

execute 'create the Ceph manager' do
  command <<~SHELL
    set -eu
    umask 077
    mkdir -p #{mgr}.new
    ceph auth get-or-create mgr.#{id} mon 'allow profile mgr' osd 'allow *' mds 'allow *' --out-file #{mgr}.new/keyring
    chown -R ceph:ceph #{mgr}.new
    mv #{mgr}.new #{mgr}
  SHELL
  creates mgr
end

openstack_service "ceph-mgr@#{id}" do
  internal_ports ['6800-7300']
  log "/var/log/ceph/ceph-mgr.#{id}.log"
  config conf
end

openstack_ceph_osd id do
  config conf
end

# Debian 13's manager can't load its module that takes crash reports, and leaves 81 of them whenever it starts (PyO3 and
# subinterpreters). The collector tried to send each of them three times, every 10 minutes: a third of two CPUs.
service 'ceph-crash' do
  action %i(stop disable)
end

pools = node['openstack']['ceph']['pools']

pools.each_value { |name| openstack_ceph_pool name }

# the manager's own pool, too
['.mgr', *pools.values].each { |name| openstack_ceph_pool(name) { action :replicate } } if several

OpenstackCeph::Access.caps(pools).each do |client, caps|
  openstack_ceph_user "client.#{client}" do
    key openstack_ceph_key(client)
    caps caps
  end
end
