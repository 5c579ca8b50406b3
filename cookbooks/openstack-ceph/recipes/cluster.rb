# frozen_string_literal: true

# A Ceph cluster of one monitor, one manager and one OSD, which stores everything in a file of this node. For labs: data is
# stored once. README.md says how to use an existing cluster instead.

raise 'openstack.ceph.mon_hosts names an existing Ceph cluster: remove recipe[openstack-ceph::cluster] from this node, or the attribute' if node['openstack']['ceph']['mon_hosts']

openstack_packages 'ceph' do
  packages %w(ceph-mon ceph-mgr ceph-osd nftables) + OpenstackCommon::Ceph::PACKAGES
end

# without these, the manager and the OSD listen on all addresses
listens = { 'public_addr' => openstack_address, 'cluster_addr' => openstack_address }

openstack_ceph_conf(
  'global' => {
    'osd_pool_default_size' => 1,
    'osd_pool_default_min_size' => 1,
    'osd_pool_default_pg_num' => 8,
    'osd_crush_chooseleaf_type' => 0,
    'mon_allow_pool_size_one' => true,
    'mon_warn_on_pool_no_redundancy' => false,
    'auth_allow_insecure_global_id_reclaim' => false,
  },
  'mgr' => listens,
  'osd' => listens.merge(
    'bluestore_block_size' => node['openstack']['ceph']['osd']['size'] * 1024**3,
    # the least that Ceph accepts
    'osd_memory_target' => 896 * 1024**2
  )
)

id = node['hostname']
conf = OpenstackCommon::Ceph::CONF
mon = "/var/lib/ceph/mon/ceph-#{id}"
mgr = "/var/lib/ceph/mgr/ceph-#{id}"
osd = '/var/lib/ceph/osd/ceph-0'
address = openstack_address
listens_on = "[v2:#{address}:3300,v1:#{address}:6789]"

# Each daemon's directory is made under another name: after an interruption, the next run begins with it again.
execute 'create the Ceph monitor' do
  command <<~SHELL
    set -eu
    umask 077
    rm -rf #{mon}.new
    ceph-authtool --create-keyring --gen-key --name client.admin --cap mon 'allow *' --cap mgr 'allow *' --cap osd 'allow *' \
      /etc/ceph/ceph.client.admin.keyring
    ceph-authtool --create-keyring --gen-key --name mon. --cap mon 'allow *' #{mon}.keyring
    ceph-authtool --import-keyring /etc/ceph/ceph.client.admin.keyring #{mon}.keyring
    monmaptool --create --clobber --fsid #{node['openstack']['ceph']['fsid']} --addv #{id} '#{listens_on}' #{mon}.map
    ceph-mon --mkfs --id #{id} --mon-data #{mon}.new --monmap #{mon}.map --keyring #{mon}.keyring
    rm #{mon}.keyring #{mon}.map
    chown -R ceph:ceph #{mon}.new
    mv #{mon}.new #{mon}
  SHELL
  creates mon
end

# A monitor has its address in its store, too. With another one than the node's it can't run; what it has is read while it
# does not. As `ceph`: files that root makes in the store are unreadable for the monitor.
as_ceph = "ceph-mon --id #{id} --setuser ceph --setgroup ceph"
execute 'move the Ceph monitor to the new address of its node' do
  command <<~SHELL
    set -eu
    systemctl stop ceph-mon@#{id}
    #{as_ceph} --extract-monmap #{mon}.map
    monmaptool --rm #{id} --addv #{id} '#{listens_on}' #{mon}.map
    #{as_ceph} --inject-monmap #{mon}.map
    rm #{mon}.map
  SHELL
  not_if <<~SHELL
    systemctl is-active --quiet ceph-mon@#{id} ||
      { #{as_ceph} --extract-monmap #{mon}.map && monmaptool --print #{mon}.map | grep --fixed-strings '[v2:#{address}:3300/' && rm #{mon}.map; }
  SHELL
end

openstack_service "ceph-mon@#{id}" do
  ports [3300, 6789]
  internal_ports [3300, 6789]
  log "/var/log/ceph/ceph-mon.#{id}.log"
  config conf
  wait true
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

# The key and the UUID are kept for the next try: the monitor remembers them. The first OSD gets the ID 0.
execute 'create the Ceph OSD' do
  command <<~SHELL
    set -eu
    umask 077
    mkdir -p #{osd}.new
    cd #{osd}.new
    [ -s uuid ] || cp /proc/sys/kernel/random/uuid uuid
    [ -s keyring ] || ceph-authtool --create-keyring --gen-key --name osd.0 keyring
    printf '{"cephx_secret": "%s"}' "$(ceph-authtool --print-key --name osd.0 keyring)" |
      ceph osd new "$(cat uuid)" --in-file=-
    ceph-osd --mkfs --id 0 --osd-data #{osd}.new --osd-uuid "$(cat uuid)"
    chown -R ceph:ceph #{osd}.new
    mv #{osd}.new #{osd}
  SHELL
  creates osd
end

{ "ceph-mgr@#{id}" => "ceph-mgr.#{id}", 'ceph-osd@0' => 'ceph-osd.0' }.each do |unit, log|
  openstack_service unit do
    internal_ports ['6800-7300']
    log "/var/log/ceph/#{log}.log"
    config conf
  end
end

# Debian 13's manager can't load its module that takes crash reports, and leaves 81 of them whenever it starts (PyO3 and
# subinterpreters). The collector tried to send each of them three times, every 10 minutes: a third of two CPUs.
service 'ceph-crash' do
  action %i(stop disable)
end

pools = node['openstack']['ceph']['pools']

pools.each_value { |name| openstack_ceph_pool name }

OpenstackCeph::Access.caps(pools).each do |client, caps|
  openstack_ceph_user "client.#{client}" do
    key openstack_ceph_key(client)
    caps caps
  end
end
