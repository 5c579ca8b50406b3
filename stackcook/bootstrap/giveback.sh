# Gives a host back, as root: removes what came after its record, and restores /etc from it.
# $server and $node are the Chef server's URL and the node's name there.
# $keep_data and $keep_packages are 1 or empty; $units are those of the cloud that are known.
# Prints `kept: WHAT` for what stays, and `error: WHAT` for what should not. It may run again.
set -u
umask 022
rm -f $home/failed
data=$home/data

kept() { echo "kept: $*"; }
# error WHAT: the record is needed for a second try
error() { echo "error: $*"; touch $home/failed; }
try() { "$@" >/dev/null 2>&1 </dev/null || error "\`$*\` failed"; }
# owned PATH: whether a package that is installed has it
owned() { grep -qxF "$1" $work/owned; }
# new LIST: what there is now and was not recorded; of what is noted for each step, only what one of
# the cloud's steps has brought
new() {
  case " $came " in
    *" $1 "*) list "$1" | comm -13 "$record/$1" - | { grep -xF -f $home/came/$1 || :; } ;;
    *) list "$1" | comm -13 "$record/$1" - ;;
  esac
}
# gone LIST: what was recorded, and is not there now
gone() { list "$1" | comm -23 "$record/$1" -; }

stop_units() { # names on stdin
  while read -r unit; do
    case $unit in *@.*) unit=${unit%@.*}@*.${unit##*.} ;; esac
    systemctl disable "$unit" >/dev/null 2>&1 # generated and static units have nothing to disable
    systemctl stop "$unit" >/dev/null 2>&1 || case $unit in *\**) ;; *)
      systemctl is-active -q "$unit" && error "$unit does not stop" ;;
    esac
  done
}

setting() { sed -nE "s|^[[:space:]]*$1[[:space:]]+[\"']([^\"']+).*|\1|p" /etc/chef/client.rb 2>/dev/null | head -n 1; }
url=$(setting chef_server_url) name=$(setting node_name)
if test -n "$url" && test "${url%/} ${name:-$node}" != "${server%/} $node"; then
  echo "error: this host is the node $name of the Chef server $url: nothing was changed on it"
  exit 0
fi

remove_chef() {
  rm -rf /etc/chef /var/chef
  rm -f /run/stackcook.pid
}

if test -e /etc/chef/stackcook-timer.rb; then
  echo 'stopping the timer that runs chef-client'
  systemctl disable --now chef-client.timer >/dev/null 2>&1 # it may have been removed
  seconds=0
  while test "$(systemctl show -p ActiveState --value chef-client.service)" = activating; do
    if test $seconds = 600; then
      echo 'error: chef-client, started by its timer, is still running: nothing else was changed'
      exit 0
    fi
    sleep 1
    seconds=$((seconds + 1))
  done
  note end timer
  rm -f /etc/systemd/system/chef-client.timer /etc/systemd/system/chef-client.service
fi

if ! test -d $record; then
  if ! test -e /etc/chef/client.rb && ! test -e /etc/chef/stackcook.json; then
    echo 'nothing of this cloud is on the host'
    exit 0
  fi
  echo 'this host has no record of its state before the deploy'
  for unit in $units; do echo "$unit"; done | stop_units
  rm -f /etc/systemd/system/openstack-provider.service /etc/systemd/system/openstack-tunnel.service
  rm -f /etc/systemd/system/openstack-firewall.service /etc/openstack-firewall.nft
  rm -rf /etc/systemd/system/nova-.service.d /etc/systemd/system/swift-.service.d
  systemctl daemon-reload
  remove_chef
  kept 'all packages, users and groups, their files in /etc and /var, and bridges, as there is no record of the host'
  exit 0
fi

touch $home/touched
test -d $home/came ||
  kept 'packages, users, groups and directories, as the host has lost its notes of what came with the cloud'
mkdir -p -m 700 $home/came
for each in $came; do touch $home/came/$each; done

echo 'stopping services and instances'
new domains | grep '^instance-' | while read -r domain; do
  virsh destroy "$domain" >/dev/null 2>&1 # it may be off
  try virsh undefine --nvram --managed-save --snapshots-metadata "$domain"
done
new units | grep -v '\.mount$\|openvswitch\|ovs-vswitchd\|ovsdb-server' | stop_units
new namespaces | grep '^ovnmeta-' | while read -r namespace; do
  ip netns pids "$namespace" | xargs -r kill 2>/dev/null # they may have ended
  try ip netns delete "$namespace"
done
# of an Open vSwitch that was there before, only the cloud's
bridges=.
grep -qx 'openvswitch-switch' $home/came/packages || bridges='^br-(int|ex|tun)$'
new bridges | grep -E "$bridges" | while read -r bridge; do try ovs-vsctl --timeout=30 del-br "$bridge"; done
new units | stop_units
new rules | while read -r _ family table; do
  try nft delete table "$family" "$table"
done
new mounts | sort -r | while read -r place; do
  kept "the file system that was mounted at $place, with its content"
  try umount "$place"
done

gems=$(new gems)
if test -n "$gems" && test -z "$keep_packages"; then
  echo 'removing the Chef client'
  names=$(for gem in $gems; do echo "${gem%-[0-9]*}"; done | sort -u)
  # shellcheck disable=SC2086 # each is a word of its own
  try gem uninstall --all --executables --ignore-dependencies --force $names
fi

if test -n "$keep_data"; then
  if test -z "$keep_packages"; then
    mkdir -p -m 700 $data
    for each in mysql glance nova/instances cinder ceph swift; do
      test -d "/var/lib/$each" && grep -qxF "/var/lib/${each%%/*}" $record/directories && continue
      test -d "/var/lib/$each" || continue
      mkdir -p "$data/$(dirname "$each")"
      try mv -T "/var/lib/$each" "$data/$each.$(date +%Y%m%dT%H%M%S)"
    done
    kept "databases, images and disks of instances, in $data"
  else
    kept 'databases, images and disks of instances, in /var/lib'
  fi
fi

if test -z "$keep_packages"; then
  echo 'purging packages'
  new packages >$home/purge
  if test -s $home/purge; then
    purge() {
      xargs apt-get -o DPkg::Lock::Timeout=300 -o APT::Get::AutomaticRemove=false -y \
        --allow-change-held-packages --allow-remove-essential "$@" purge <$home/purge
    }
    # e2fsprogs counts as essential, and may have come with the cloud; but nothing else may go along
    plain() { sed "s/:$(dpkg --print-architecture)\$//" | sort -u; }
    others=$(purge -s | sed -n 's/^Purg \([^ ]*\) .*/\1/p;s/^Remv \([^ ]*\) .*/\1/p' | plain |
      grep -vxF "$(plain <$home/purge)")
    if test -n "$others"; then
      error "packages that did not come with the cloud need some that did, so none is purged:" $others
    else
      purge -qq >$home/purge.log 2>&1 ||
        error "apt-get purge failed: $(grep -aE '^(E|dpkg|Err)' $home/purge.log | tail -n 1)"
    fi
  fi
  new configured | xargs -r dpkg --purge >>$home/purge.log 2>&1
  lost=$(gone packages)
  if test -n "$lost"; then
    # shellcheck disable=SC2086 # each is a word of its own
    try apt-get -o DPkg::Lock::Timeout=300 -qq -y --no-install-recommends install $lost
  fi
  comm -12 $record/manual $record/packages | xargs -r apt-mark manual >/dev/null
  new manual | xargs -r apt-mark auto >/dev/null
  left=$(new packages | wc -l)
  test "$left" = 0 || error "$left packages are still installed, such as $(new packages | head -n 3 | tr '\n' ' ')"
else
  kept 'packages, and with them their users and groups, and their files in /etc and /var, which contain passwords of the cloud'
fi

echo 'restoring /etc'
if test -z "$keep_packages"; then
  for user in $(new users); do
    id=$(id -u "$user")
    if test "$id" -ge 1000 && test "$id" -lt 60000; then
      kept "user $user, whom no package has created"
      continue
    fi
    pkill -KILL -u "$user"
    userdel "$user" >/dev/null 2>&1 || error "userdel $user failed"
  done
  for group in $(new groups); do
    id=$(getent group "$group" | cut -d: -f3)
    if test "$id" -ge 1000 && test "$id" -lt 60000; then
      kept "group $group, which no package has created"
    else
      groupdel "$group" >/dev/null 2>&1 || error "groupdel $group failed"
    fi
  done
fi
remove_chef
work=$(mktemp -d)
tar -C "$work" --xattrs -xzpf $record/etc.tar.gz || error 'the archive of /etc cannot be read'
cat /var/lib/dpkg/info/*.list | sort -u >$work/owned
# same FILE: whether it is as recorded, whatever the order of its lines
same() { test "$(sort "/$1")" = "$(sort "$work/$1")"; }
restore() { # PATH: put it back with its owner and mode
  mkdir -p "$(dirname "$1")"
  cp -a --remove-destination "$work$1" "$1.stackcook" && mv -T "$1.stackcook" "$1" ||
    error "$1 cannot be restored"
}
{
  # a deleted file shows only in its directory
  comm -23 $record/etc - <<LIST
$(list etc)
LIST
  sort -u $home/touched
} | sort -u | while read -r path; do
  case $path in
    /etc/passwd* | /etc/shadow* | /etc/group* | /etc/gshadow* | /etc/subuid* | /etc/subgid*) continue ;;
    /etc/resolv.conf | /etc/mtab | /etc/machine-id) continue ;;
  esac
  if test -d "$path" && ! test -L "$path"; then continue; fi
  if test -e "$work$path" || test -L "$work$path"; then
    if test -e "$path" || test -L "$path"; then
      cmp -s "$path" "$work$path" && test "$(readlink "$path")" = "$(readlink "$work$path")" && continue
    elif ! grep -qxF "$(dirname "$path")" $home/touched; then
      continue # no step of the cloud has deleted it
    fi
    test -d "$work$path" && ! test -L "$work$path" || restore "$path"
  elif test -e "$path" || test -L "$path"; then
    owned "$path" || rm -f "$path"
  fi
done
if grep -qx /etc/hostname $home/touched && test -s /etc/hostname; then try hostname -F /etc/hostname; fi
for file in passwd shadow group gshadow subuid subgid; do
  test -e "$work/etc/$file" || continue
  same "etc/$file" || continue # it has an account that came later
  for each in "/etc/$file" "/etc/$file-"; do
    if test -e "$work$each"; then restore "$each"; else rm -f "$each"; fi
  done
done
# directories of /etc that nothing needs any more, the deepest first
new etc | sort -r | while read -r path; do
  if test -d "$path" && ! test -L "$path" && ! owned "$path"; then
    rmdir "$path" 2>/dev/null # files that are not the cloud's may be in it
  fi
done
gone etc | while read -r path; do # directories that a purge has taken along
  if test -d "$work$path" && ! test -L "$work$path" && grep -qxF "$(dirname "$path")" $home/touched; then
    mkdir -p "$path"
  fi
done

if test -z "$keep_packages"; then
  new directories | sort -r | while read -r path; do
    test "$path" = $home || owned "$path" || rm -rf --one-file-system "$path" ||
      error "$path cannot be removed"
  done
fi
systemctl daemon-reload
systemctl reset-failed

echo 'restoring the network and services'
gone addresses | while read -r link address; do try ip address add "$address" dev "$link"; done
gone up | while read -r link; do ip link show "$link" >/dev/null 2>&1 && try ip link set "$link" up; done
new up | grep -xF -f $record/links | while read -r link; do try ip link set "$link" down; done
gone routes | while read -r route; do
  # shellcheck disable=SC2086 # each is a word of its own
  try ip route replace $route
done
new addresses | while read -r link address; do kept "address $address on $link"; done
sysctl -q --system >/dev/null 2>&1 # values that a container may not set are no failure
while IFS= read -r each; do sysctl -qw "$each" >/dev/null 2>&1; done <$record/kernel
gone enabled | while read -r unit; do try systemctl enable "$unit"; done
gone active | while read -r unit; do
  systemctl start "$unit" >/dev/null 2>&1 # some have done their work and ended
done
for link in $(new links); do kept "network interface $link"; done
for volumes in $(! has vgs || vgs --noheadings -o vg_name 2>/dev/null); do
  kept "volume group $volumes, on the disks that it had"
done
rm -rf "$work"
if test -e $home/failed; then exit 0; fi
if test -n "$keep_packages"; then
  kept "the record of the host, in $home, for a destroy without --keep-packages"
else
  rm -rf $record $home/came $home/touched $home/purge $home/purge.log $home/began* $home/before*
  rmdir $home 2>/dev/null # data may be in it
fi
