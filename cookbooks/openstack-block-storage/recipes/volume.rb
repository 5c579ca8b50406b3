# frozen_string_literal: true

# cinder-volume, which stores volumes in Ceph or LVM, and cinder-backup where backups can be stored.

backend = cinder_backend
backup = cinder_backup
ceph = [backend, backup].include?('ceph')

include_recipe 'openstack-block-storage::_common'

openstack_packages 'cinder-volume' do
  packages ['cinder-volume', *('cinder-backup' unless backup == 'none'), *(OpenstackCommon::Ceph::PACKAGES if ceph),
            *(%w(lvm2 nftables targetcli-fb thin-provisioning-tools) if backend == 'lvm')]
end

cinder_conf cinder_volume(backend)
cinder_conf cinder_backups(backup) unless backup == 'none'

openstack_ceph_client('cinder', group: 'cinder') if ceph

lvm = node['openstack']['block_storage']['lvm']

if backend == 'lvm' && lvm['devices'].any?
  execute ['vgcreate', lvm['volume_group'], *lvm['devices']].join(' ') do
    not_if "vgs #{lvm['volume_group']}"
  end
end

units = ['cinder-volume', *('cinder-backup' unless backup == 'none')]

units.each do |unit|
  openstack_service unit do
    internal_ports [3260] if backend == 'lvm' && unit == 'cinder-volume' # volumes, by iSCSI
    log "/var/log/cinder/#{unit}.log"
    config [OpenstackBlockStorage::Helpers::CINDER_CONF, *('/etc/ceph/ceph.client.cinder.keyring' if ceph)]
  end
end
