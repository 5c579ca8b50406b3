# Turns the root of the Vagrant box into what all nodes of the lab share; runs as root.
#
#   sh base.sh BOX ROOT
#
# ROOT must be an empty directory. A node boots it in a second: nothing in it is for a first boot,
# for a terminal, or for the host's kernel.
set -eu
box=$1 root=$2

tar -xOf "$box" rootfs.tar.gz | tar -xzp --numeric-owner --xattrs --strip-components=2 -C "$root"
cd "$root"
for unit in systemd-sysctl systemd-binfmt systemd-pstore systemd-random-seed systemd-logind \
    systemd-firstboot systemd-hwdb-update systemd-journal-catalog-update systemd-update-done \
    systemd-tpm2-setup systemd-tpm2-setup-early systemd-journal-flush ldconfig sshd-keygen \
    kmod-static-nodes getty@ getty-static console-getty; do
    ln -sf /dev/null "etc/systemd/system/$unit.service"
done
for unit in proc-sys-fs-binfmt_misc.automount sys-fs-fuse-connections.mount \
    sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount \
    fstrim.timer systemd-tmpfiles-clean.timer tmp.mount; do
    ln -sf /dev/null "etc/systemd/system/$unit"
done
# One host key of each node's own is put in place before it starts; here no other is made. It is one
# that a knife from `gem install` takes, which has no gem for ed25519.
cat >etc/systemd/system/ssh.service.d/keys.conf <<'UNIT'
[Service]
ExecStartPre=
UNIT
rm -f etc/update-motd.d/*
mkdir -p etc/ssh/sshd_config.d etc/systemd/journald.conf.d
printf 'HostKey /etc/ssh/ssh_host_ecdsa_key\nUseDNS no\n' >etc/ssh/sshd_config.d/scale.conf
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=2M\n' >etc/systemd/journald.conf.d/scale.conf
touch etc/.updated var/.updated
