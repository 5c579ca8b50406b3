# An LXC mount hook: gives a machine its name and the key that logs in to it.
#
#   sh identity.sh NODE ADDRESS PUBLIC-KEY …    (LXC adds arguments of its own)
#
# Not by Vagrant's own `hostname`: that restarts the network of a machine whose address LXC gave it.
# Its root file system is mounted already: what is written goes where the machine's own changes go.
set -eu
# Vagrant keeps the line of an older stackcook, for which this was a pre-start hook.
[ "${6-}" != pre-start ] || exit 0
node=$1 address=$2 key=$3
root=$LXC_ROOTFS_MOUNT
echo "$node" >"$root/etc/hostname"
# The address is another one if the machine was restored from the snapshot of another cloud.
grep -qx "$address $node" "$root/etc/hosts" || {
    sed -i "/^[0-9.]* $node\$/d" "$root/etc/hosts"
    echo "$address $node" >>"$root/etc/hosts"
}
cp "$key" "$root/home/vagrant/.ssh/authorized_keys"
chown --reference="$root/home/vagrant/.ssh" "$root/home/vagrant/.ssh/authorized_keys"
chmod 0600 "$root/home/vagrant/.ssh/authorized_keys"
