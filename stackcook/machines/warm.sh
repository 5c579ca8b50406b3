#!/bin/bash
# Builds a warm box: the ordinary box (box.sh) with packages installed and nothing configured.
#
#   warm.sh BOX ORDINARY ARCHIVES OPENSTACK CHEF
#
# BOX is the file to create, ORDINARY that of the ordinary box. ARCHIVES is a directory of .deb files, apt's
# cache. OPENSTACK and CHEF are names of packages, separated by spaces: those of the resource
# openstack_packages, and those of Chef's own resources. Runs as root.
set -euo pipefail
box=$1 ordinary=$2 archives=$3
export openstack=$4 chef=$5
umask 022
work=$(mktemp -d -p "$(dirname "$box")" .build-XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/rootfs

echo 'unpacking the ordinary box'
tar -xf "$ordinary" -C "$work"
tar -xzpf "$work/rootfs.tar.gz" -C "$work" --numeric-owner --xattrs --xattrs-include='*'

# Runs in the new root.
cat >"$root/var/tmp/install" <<'END'
set -euo pipefail
waiting=/var/lib/stackcook-enabled.tar unit=stackcook-enable.service

apt_get() {
    apt-get -qq -y -o Dpkg::Options::=--force-confold "$@" >/var/tmp/apt.log 2>&1 || { cat /var/tmp/apt.log; exit 1; }
}

# Installs packages as far as apt knows them: a recipe may add the repository of others first.
install() { # NAMES [OPTION…]
    mapfile -t known < <(comm -12 <(tr ' ' '\n' <<<"$1" | sort) <(apt-cache pkgnames | sort))
    shift
    [ ${#known[@]} = 0 ] || apt_get "$@" install "${known[@]}"
}

enabled() { find /etc/systemd/system /etc/rc?.d -type l | sort; }

apt_get -o APT::Update::Error-Mode=any update
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d

# The services of openstack_packages must not start before they are configured, also not when the machine boots
# for the first time. At that boot, a unit enables them: systemd has decided before what it starts.
enabled >/var/tmp/before
install "$openstack" --no-install-recommends
enabled | comm -13 /var/tmp/before - >/var/tmp/new
tar -P -cf "$waiting" --remove-files -T /var/tmp/new
cat >"/etc/systemd/system/$unit" <<UNIT
[Unit]
Description=Enable the services of installed packages from the next boot on
Before=ssh.service
[Service]
Type=oneshot
ExecStart=tar -P -xf $waiting
ExecStart=rm $waiting /etc/systemd/system/$unit /etc/systemd/system/multi-user.target.wants/$unit
[Install]
WantedBy=multi-user.target
UNIT
systemctl enable --quiet "$unit"

install "$chef"

# What would be the same on all machines, but must not be; it is created when it is needed.
rm -f /etc/ssh/ssh_host_* /etc/machine-id /var/lib/dbus/machine-id
: >/etc/machine-id

rm -f /usr/sbin/policy-rc.d /var/tmp/before /var/tmp/new /var/tmp/apt.log /var/tmp/install
END

echo "installing $openstack $chef"
# Mounts, and what a package starts in spite of policy-rc.d, end with these namespaces.
export root archives
unshare --mount --uts --pid --fork --kill-child bash -euc '
    hostname localhost
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t tmpfs tmpfs "$root/run"
    mount --bind "$archives" "$root/var/cache/apt/archives"
    # the name servers and certificate authorities of this machine, as in the lab (Vagrantfile)
    for file in /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt; do mount --bind -o ro "$file" "$root$file"; done
    exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root \
        DEBIAN_FRONTEND=noninteractive openstack="$openstack" chef="$chef" bash /var/tmp/install'

echo 'packing the box'
cd "$work"
tar --numeric-owner --xattrs -c ./rootfs | gzip -1 >rootfs.tar.gz
tar -cf "$box" metadata.json lxc-config rootfs.tar.gz
chown "${SUDO_UID:-0}:${SUDO_GID:-0}" "$box"
