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
enabled=/var/lib/stackcook-enabled.tar first_boot=/usr/local/lib/stackcook-first-boot

apt_get() {
    apt-get -qq -y -o Dpkg::Options::=--force-confold "$@" >/var/tmp/apt.log 2>&1 || { cat /var/tmp/apt.log; exit 1; }
}

# Installs packages as far as apt knows them: a recipe may add the repository of others first.
install_known() { # NAMES [OPTION…]
    mapfile -t known < <(comm -12 <(tr ' ' '\n' <<<"$1" | sort) <(apt-cache pkgnames | sort))
    shift
    [ ${#known[@]} = 0 ] || apt_get "$@" install "${known[@]}"
}

# The links because of which systemd starts units when the machine boots.
links() { find /etc/systemd/system /etc/rc?.d /usr/lib/systemd/system/*.wants -type l | sort; }

apt_get -o APT::Update::Error-Mode=any update
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d

# No unit of openstack_packages may start before it is configured, also not when the machine boots for the first
# time. So the box is without their links until then.
links >/var/tmp/before
install_known "$openstack" --no-install-recommends
links | comm -13 /var/tmp/before - >/var/tmp/new
tar -P -cf "$enabled" --remove-files -T /var/tmp/new

install_known "$chef"

# What packages generate when they are installed must not be the same on all machines.
rm -f /var/lib/rabbitmq/.erlang.cookie /etc/ssl/private/ssl-cert-snakeoil.key
[ ! -e /etc/iscsi/initiatorname.iscsi ] || echo GenerateName=yes >/etc/iscsi/initiatorname.iscsi
rm -f /etc/ssh/ssh_host_* /var/lib/dbus/machine-id
: >/etc/machine-id

cat >"$first_boot" <<'SCRIPT'
#!/bin/sh
# Runs once, when a machine of a warm box boots for the first time.
set -eu
umask 077
if [ -d /var/lib/rabbitmq ]; then # as the package does it
    openssl rand -base64 -out /var/lib/rabbitmq/.erlang.cookie 42
    chmod 0400 /var/lib/rabbitmq/.erlang.cookie
    chown rabbitmq:rabbitmq /var/lib/rabbitmq/.erlang.cookie
fi
[ ! -e /etc/iscsi/initiatorname.iscsi ] || /usr/lib/open-iscsi/startup-checks.sh
[ ! -e /usr/sbin/make-ssl-cert ] || make-ssl-cert generate-default-snakeoil --force-overwrite
# systemd has already decided what it starts at this boot
tar -P -xf /var/lib/stackcook-enabled.tar
find /etc/systemd/system -name stackcook-first-boot.service -delete
rm /var/lib/stackcook-enabled.tar "$0"
SCRIPT
chmod 0755 "$first_boot"
cat >/etc/systemd/system/stackcook-first-boot.service <<UNIT
[Unit]
Description=Finish the installation of a warm box
Before=ssh.service
[Service]
Type=oneshot
ExecStart=$first_boot
[Install]
WantedBy=multi-user.target
UNIT
systemctl enable --quiet stackcook-first-boot.service

rm -f /usr/sbin/policy-rc.d /var/tmp/before /var/tmp/new /var/tmp/apt.log /var/tmp/install /var/cache/apt/*.bin
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
