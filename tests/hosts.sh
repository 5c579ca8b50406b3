#!/bin/bash
# Builds the root of a plain Debian 13, as an installer leaves it: systemd, SSH, sudo and ifupdown,
# nothing of Chef or OpenStack.
#
#   hosts.sh ROOT
#
# ROOT is the directory to create. Packages come from the mirror that apt uses on this machine.
# Runs as root.
set -euo pipefail
root=$1
suite=trixie
packages=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,openssh-server,sudo,ca-certificates
packages+=,ifupdown,iproute2,iputils-ping,procps,less,nftables,kmod,udev,debian-archive-keyring

work=$(mktemp -d -p "$(dirname "$root")" .build-XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    sed -nE "s/^(\S+) $codename(|-updates|-security) main\$/deb \1 $suite\2 main/p" |
    sort -u >"$work/sources.list"
mirror=(-)
[ -s "$work/sources.list" ] || mirror=()
apt-config dump | { grep -E '^Acquire::(https?::|Check-).* "' || :; } >"$work/apt.conf"
export work

cat >"$work/install" <<'END'
set -euo pipefail
useradd --create-home --shell /bin/bash --comment 'Debian' debian
install -d -m 0700 -o debian -g debian /home/debian/.ssh
echo 'debian ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/debian
# The daily timers would hold apt's lock at any moment; the kernel is that of this machine.
systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    systemd-modules-load.service systemd-udevd.service systemd-udev-trigger.service
systemctl enable --quiet ssh.service
rm -f /etc/ssh/ssh_host_* /var/lib/dbus/machine-id /etc/resolv.conf /etc/hostname
: >/etc/machine-id
END

umask 022
eatmydata mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" \
    --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
    --customize-hook='cp "$work/apt.conf" "$1/etc/apt/apt.conf.d/50mirror"' \
    --customize-hook='chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin bash -s <"$work/install"' \
    "$suite" "$work/root" "${mirror[@]}" <"$work/sources.list"
mv "$work/root" "$root"
