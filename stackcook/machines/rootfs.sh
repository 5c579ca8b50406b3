#!/bin/bash
# Makes the root file system of a lab machine: Debian 13 with systemd, SSH and the Chef client.
#
#   rootfs.sh DIRECTORY LOCK GEMS
#
# DIRECTORY is made; LOCK lists the Chef client's gems ("name version" a line); GEMS holds their
# .gem files. Packages come from the mirror that this machine's own apt uses. Needs root.
set -euo pipefail
root=$1 lock=$2 gems=$3
suite=trixie
packages=systemd,systemd-sysv,dbus,openssh-server,sudo,ca-certificates,curl,iproute2,iputils-ping
packages+=,procps,less,eatmydata,rsync,ruby,libarchive13t64,debian-archive-keyring
to_build=build-essential,ruby-dev,libffi-dev

# This machine's own sources, with the suite exchanged; mmdebstrap knows a default when it has none.
sources() {
    local codename
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-none}")
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        sed -nE "s/^(\S+) $codename(|-updates|-security) (main)\$/deb \1 $suite\2 \3/p" | sort -u
}
sources >"$gems/sources.list"
[ -s "$gems/sources.list" ] || sources=default
apt-config dump | grep -E '^Acquire::(https?::.*|Check-.*) "' >"$gems/apt.conf" || true # none set

# Runs in the new root. No identity stays: machine-id and SSH host keys are made at first boot.
cat >"$gems/install" <<'END'
set -euo pipefail
cd /var/tmp/gems
eatmydata gem install --local --ignore-dependencies --no-document --force $(cat files)
apt-get purge -qq -y --auto-remove -o APT::AutoRemove::RecommendsImportant=false \
    -o APT::AutoRemove::SuggestsImportant=false $(tr , ' ' <to_build) >/dev/null
useradd --create-home --shell /bin/bash vagrant
install -d -m 0700 -o vagrant -g vagrant /home/vagrant/.ssh
install -m 0600 -o vagrant -g vagrant insecure.pub /home/vagrant/.ssh/authorized_keys
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/vagrant
install -m 0644 apt.conf /etc/apt/apt.conf.d/50stackcook
cat >/etc/apt/apt.conf.d/90stackcook <<'APT'
APT::Keep-Downloaded-Packages "true";
Acquire::Languages "none";
Dir::Bin::dpkg "/usr/local/lib/stackcook-dpkg";
APT
# A lab machine is made anew, not repaired: what dpkg writes need not survive a power cut.
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/stackcook
printf '#!/bin/sh\nexec eatmydata /usr/bin/dpkg "$@"\n' >/usr/local/lib/stackcook-dpkg
chmod 0755 /usr/local/lib/stackcook-dpkg
install -d /etc/systemd/system/ssh.service.d /var/lib/apt/periodic /etc/chef
cat >/etc/systemd/system/ssh.service.d/keys.conf <<'UNIT'
[Service]
ExecStartPre=
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
UNIT
# The daily timers hold apt's lock at times of their own choosing.
systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer
systemctl enable --quiet ssh.service
touch /var/lib/apt/periodic/update-success-stamp
rm -f /etc/ssh/ssh_host_* /var/lib/dbus/machine-id /etc/resolv.conf /etc/hostname
: >/etc/machine-id
: >/etc/resolv.conf
rm -rf /var/tmp/gems /root/.gem /var/lib/gems/*/cache /var/cache/apt/archives/*.deb
END
sed -E 's/ *#.*//; /^$/d; s/^(\S+) (\S+)$/\1-\2.gem/' "$lock" >"$gems/files"
echo "$to_build" >"$gems/to_build"
# Vagrant's well-known public key: a lab machine is reached from this machine only.
cat >"$gems/insecure.pub" <<'END'
ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNltGEFHzD8+v1I2YJ6oXevct1YeS0o9HZyN1Q9qgCgzUFtdOKLv6IedplqoPkcmF0aYet2PkEDo3MlTBckFXPITAMzF8dJSIFo9D8HfdOV0IAdx4O7PtixWKn5y2hMNG0zQPyUecp4pzC6kivAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnAmCP3NOTd0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcWyLbIbEgE98OHlnVYCzRdK8jlqm8tehUc9c9WhQ== vagrant insecure public key
END
eatmydata=$(command -v eatmydata || true)
$eatmydata mmdebstrap --quiet --mode=root --variant=minbase --include="$packages,$to_build" \
    --skip=cleanup/apt/lists --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
    --customize-hook='mkdir -p "$1/var/tmp/gems"' \
    --customize-hook="cp '$gems'/* \"\$1/var/tmp/gems/\"" \
    --customize-hook='chroot "$1" bash /var/tmp/gems/install' \
    "$suite" "$root" - <"$gems/sources.list"
