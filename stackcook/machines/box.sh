#!/bin/bash
# Builds the Vagrant box of the lab's LXC machines: Debian 13 with systemd, SSH and the Chef client.
#
#   box.sh BOX GEMS FETCH LOCK…
#
# BOX is the file to create. GEMS is a directory for .gem files that only this build uses; FETCH is a
# Ruby script that downloads the missing ones. Each line of a LOCK names a gem: "NAME VERSION".
# Packages come from the mirror that apt uses on this machine. Runs as root.
set -euo pipefail
box=$1 gems=$2 fetch=$3 here=$(dirname "$0")
shift 3
locks=("$@")
suite=trixie
packages=systemd,systemd-sysv,dbus,openssh-server,sudo,ca-certificates,curl,iproute2,iputils-ping
packages+=,procps,less,eatmydata,rsync,ruby,libarchive13t64,debian-archive-keyring
to_build=build-essential,ruby-dev,libffi-dev
unset GEM_HOME GEM_PATH RUBYOPT RUBYLIB BUNDLE_GEMFILE

work=$(mktemp -d -p "$(dirname "$box")" .build-XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT

echo 'collecting gems'
/usr/bin/ruby "$fetch" "$gems" "${locks[@]}"
sed -E '/^(#|$)/d; s/ (.*)/-\1.gem/' "${locks[@]}" >"$gems/files"
cp "$here/quick.sh" "$gems"

# The apt sources of this machine, for the box's suite; if it has none, mmdebstrap's default.
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-none}")
apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    sed -nE "s/^(\S+) $codename(|-updates|-security) main\$/deb \1 $suite\2 main/p" |
    sort -u >"$gems/sources.list"
mirror=(-)
[ -s "$gems/sources.list" ] || mirror=()
apt-config dump | { grep -E '^Acquire::(https?::|Check-).* "' || :; } >"$gems/apt.conf"
tr , '\n' <<<"$to_build" >"$gems/to_build"

# Runs in the new root. It must hold no identity: machine-id and SSH host keys are created at first
# boot; the host name and the login key come with the container.
cat >"$gems/install" <<'END'
set -euo pipefail
cd /var/tmp/gems
# Two processes, each with 45 gems in the order of the list: a gem comes after those it needs.
xargs -P 2 -n 45 eatmydata gem install --local --ignore-dependencies --no-document <files
sh quick.sh
apt-get purge -qq -y --auto-remove -o APT::AutoRemove::RecommendsImportant=false \
    -o APT::AutoRemove::SuggestsImportant=false $(cat to_build) >/dev/null

useradd --create-home --shell /bin/bash vagrant
install -d -m 0700 -o vagrant -g vagrant /home/vagrant/.ssh
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/vagrant
install -d /etc/systemd/system/ssh.service.d /var/lib/apt/periodic /etc/chef
cat >/etc/systemd/system/ssh.service.d/keys.conf <<'UNIT'
[Service]
ExecStartPre=
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
UNIT
# The daily timers would hold apt's lock at any moment; kernel modules are loaded by the host.
systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    systemd-modules-load.service
systemctl enable --quiet ssh.service

install -m 0644 apt.conf /etc/apt/apt.conf.d/50stackcook
cat >/etc/apt/apt.conf.d/90stackcook <<'APT'
APT::Keep-Downloaded-Packages "true";
Acquire::Languages "none";
Dir::Bin::dpkg "/usr/local/lib/stackcook-dpkg";
APT
# A lab machine is replaced, not repaired: what dpkg writes need not survive a power cut.
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/stackcook
printf '#!/bin/sh\nexec eatmydata /usr/bin/dpkg "$@"\n' >/usr/local/lib/stackcook-dpkg
chmod 0755 /usr/local/lib/stackcook-dpkg
touch /var/lib/apt/periodic/update-success-stamp

rm -f /etc/ssh/ssh_host_* /var/lib/dbus/machine-id /etc/resolv.conf /etc/hostname
: >/etc/machine-id
: >/etc/resolv.conf
printf '127.0.0.1 localhost\n::1 localhost\n' >/etc/hosts
rm -rf /var/tmp/gems /root/.gem /var/lib/gems/*/cache /var/cache/apt/archives/*.deb
END

echo 'installing packages and the Chef client'
export gems
umask 022
eatmydata=$(command -v eatmydata || :)
$eatmydata mmdebstrap --quiet --mode=root --variant=minbase --include="$packages,$to_build" \
    --skip=cleanup/apt/lists --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
    --customize-hook='mkdir "$1/var/tmp/gems" && cp "$gems"/* "$1/var/tmp/gems"' \
    --customize-hook='chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
        HOME=/root MAKEFLAGS=-j$(nproc) DEBIAN_FRONTEND=noninteractive \
        bash /var/tmp/gems/install' \
    "$suite" "$work/rootfs" "${mirror[@]}" <"$gems/sources.list"

echo 'packing the box'
cd "$work"
tar --numeric-owner --xattrs -c ./rootfs | gzip -1 >rootfs.tar.gz
cat >lxc-config <<'END'
lxc.include = /usr/share/lxc/config/common.conf
lxc.arch = amd64
lxc.apparmor.profile = unconfined
lxc.mount.auto = proc:rw sys:rw cgroup:mixed
lxc.cap.drop =
END
echo '{"provider": "lxc", "version": "1.0.0"}' >metadata.json
tar -cf "$box" metadata.json lxc-config rootfs.tar.gz
chown "${SUDO_UID:-0}:${SUDO_GID:-0}" "$box"
