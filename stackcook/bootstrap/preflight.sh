# Looks at a node before anything is changed on it, as root. Prints NAME=VALUE lines.
# $1 and $2 are the Chef server's host and port, empty where a proxy leads to it; $3 is its URL, and
# $4 the node's name there. If $5 is not empty, apt will not need its mirrors.

# reach NAME HOST PORT: whether a TCP connection opens. bash opens it by itself; what it says ends
# with the reason.
reach() {
  timeout 4 getent ahosts "$2" >/dev/null || { echo "$1=the name does not resolve"; return; }
  why=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$2" "$3" 2>&1)
  case $? in
    0) echo "$1=reached" ;;
    124) echo "$1=no response within 5 s" ;;
    *) echo "$1=$(printf '%s' "$why" | sed -n '1s/.*: //p')" ;;
  esac
}

# setting NAME: the value of a setting of the Chef client that is there
setting() {
  cat /etc/chef/client.rb /etc/cinc/client.rb 2>/dev/null |
    sed -nE "s|^[[:space:]]*$1[[:space:](]+[\"']([^\"']+).*|\1|p" | head -n 1
}

# mirrors: the URLs that apt gets packages from, without their paths; or the proxy that it asks
mirrors() {
  test ! -e /etc/apt/apt.conf.d/99stackcook-bundle || return 0 # it has the packages of a bundle
  config=$(apt-config dump 2>/dev/null | grep -iE '^Acquire::https?::Proxy( |-)')
  case $config in *-Auto-Detect\ \"?*\"*) return ;; esac # a program chooses the proxy
  proxy=$(echo "$config" | sed -nE 's|^[^ ]*[Pp]roxy "(https?://[^/"]+).*|\1|p' | head -n 1)
  if test -n "$proxy"; then
    echo "$proxy"
    return
  fi
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources |
    grep -E '^[[:space:]]*(deb|URIs:)[[:space:]]' | grep -oE 'https?://[^/[:space:]]+' | sort -u
}

export LC_ALL=C
echo "uid=$(id -u)"
(
  . /etc/os-release
  echo "id=$ID"
  echo "version=${VERSION_ID:-}"
  echo "release=$PRETTY_NAME"
  echo "codename=${VERSION_CODENAME:-}"
)
echo "arch=$(dpkg --print-architecture 2>/dev/null)"
read -r host </proc/sys/kernel/hostname && echo "host=$host"
echo "time=$(date +%s)"
echo "cpus=$(nproc)"
echo "kernel=$(uname -r)"
test -d /run/systemd/system || echo "init=$(cat /proc/1/comm)"

# the hardware, for people
echo "model=$(cat /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_name /proc/device-tree/model 2>/dev/null |
  tr '\0\n' '  ')"
lscpu 2>/dev/null | sed -nE 's/^ *(Model name|Socket\(s\)|Core\(s\) per socket|Virtualization): +/cpu \1=/p'
echo "virtual=$(systemd-detect-virt 2>/dev/null)"
systemd-detect-virt --quiet --container 2>/dev/null && echo container=yes
for place in /sys/block/*/device; do
  place=${place%/device}
  case ${place##*/} in sr* | fd* | \*) continue ;; esac
  echo "disk ${place##*/}=$(cat "$place/size" || echo -) $(cat "$place/queue/rotational" || echo -) $(cat "$place/device/model" 2>/dev/null)"
  timeout 5 smartctl --nocheck=standby --health "/dev/${place##*/}" 2>/dev/null |
    sed -nE "s/^SMART (overall-health self-assessment test result|Health Status): */health ${place##*/}=/p" &
done
# what is on each disk and partition, other paths of it, and LVM's volume groups
lsblk -nPpo NAME,TYPE,FSTYPE,PTTYPE,MOUNTPOINT 2>/dev/null |
  sed -nE 's/^NAME="([^"]*)" TYPE="([^"]*)" FSTYPE="([^"]*)" PTTYPE="([^"]*)" MOUNTPOINT="([^"]*)"$/block \1=\2|\3|\4|\5/p'
find /dev/disk -type l -printf 'alias %p=%l\n' 2>/dev/null | sed 's|=.*/|=/dev/|'
echo "volume groups=$(vgs --noheadings -o vg_name 2>/dev/null | tr -s '\n' ' ')"
echo "gateways=$({ ip -o route show default; ip -6 -o route show default; } 2>/dev/null |
  sed -nE 's/.* via ([^ ]+) dev ([^ ]+).*/\1 (\2)/p' | sort -u | paste -sd ,)"
echo "held=$(dpkg --get-selections 2>/dev/null | awk '$2 == "hold" { print $1 }' | tr '\n' ' ')"

echo "named=$(timeout 4 getent ahosts "$host" | awk '{ print $1 }' | sort -u | tr '\n' ' ')"
if grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf; then
  echo firewall=ufw
elif systemctl is-active --quiet firewalld 2>/dev/null; then
  echo firewall=firewalld
elif nft list ruleset 2>/dev/null | grep -q 'hook input .*policy drop'; then
  echo firewall=nftables
fi

# a service that keeps the clock right, and whether it does
for unit in chrony systemd-timesyncd ntpsec ntp openntpd; do
  if systemctl is-active --quiet $unit 2>/dev/null; then echo "time service=$unit"; fi
done
echo "synchronized=$(timeout 5 timedatectl show --property NTPSynchronized --value 2>/dev/null)"
df -Pk / /var /var/log | awk '
  /^MemAvailable/ { print "memory=" $2 }
  /^MemTotal/ { print "total=" $2 }
  FNR < NR && FNR > 1 {
    split("/ /var /var/log", places, " ")
    place = places[FNR - 1]
    print "free " place "=" $4
    print "device " place "=" $1
  }' /proc/meminfo -
echo "interfaces=$(ls /sys/class/net | tr '\n' ' ')"
echo "addresses=$(hostname -I 2>/dev/null)"
if test -e /dev/kvm; then echo kvm=yes; fi
if test -e /dev/net/tun; then echo tun=yes; fi
if modprobe -nq openvswitch 2>/dev/null; then echo openvswitch=yes; fi
for module in bonding 8021q; do
  if test -d /sys/module/$module || modprobe -nq $module 2>/dev/null; then echo "module $module=yes"; fi
done
# each network card: its MAC address (a card in a bond has another one meanwhile), PCI address, speed,
# other names; and whether it has a link, its MTU, its driver
if test -e /run/udev/control; then echo udev=yes; fi
for place in /sys/class/net/*; do
  name=${place##*/}
  if ! test -e "$place/device"; then
    # the cards of a container have no device
    if test -e /run/udev/control || test -d "$place/bridge" || test -d "$place/bonding"; then continue; fi
    if test "$name" = lo || test -e "$place/tun_flags"; then continue; fi
  fi
  mac=$(cat "$place/bonding_slave/perm_hwaddr" 2>/dev/null || cat "$place/address")
  pci=$(readlink -f "$place/device" | grep -oE '[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]' | tail -n 1)
  speed=$(cat "$place/speed" 2>/dev/null)
  echo "link $name=$(cat "$place/carrier" 2>/dev/null || echo -) $(cat "$place/mtu") $(basename "$(readlink "$place/device/driver")")"
  others=$(ip -o link show dev "$name" 2>/dev/null | grep -oE 'altname [^ \\]+' | cut -d ' ' -f 2)
  echo "card $name=$mac ${pci:--} ${speed:--}" $others
done
ip -o address show scope global 2>/dev/null | awk '
  { found[$2] = found[$2] " " $4 }
  END { for (name in found) print "on " name "=" found[name] }'
echo "bridged=$(timeout 5 ovs-vsctl --bare --columns=name list Interface 2>/dev/null | tr -s '\n' ' ')"
if systemctl is-active --quiet systemd-networkd 2>/dev/null; then
  echo network=networkd
elif command -v ifup >/dev/null; then
  echo network=ifupdown
fi
ss -Hlntup 2>/dev/null | awk '{ print "listen " $1 " " $5 "=" $7 }'

for lock in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock; do
  inode=$(stat -c %i $lock 2>/dev/null) || continue
  pid=$(awk -v inode=":$inode\$" '$2 == "POSIX" && $6 ~ inode { print $5; exit }' /proc/locks)
  if test -n "$pid" && read -r name <"/proc/$pid/comm"; then
    echo "lock=$name (PID $pid)"
    break
  fi
done

if command -v chef-client >/dev/null; then echo client=yes; fi
url=$(setting chef_server_url) name=$(setting node_name) ours=
if test -n "$url"; then
  echo "chef server=$url"
  echo "chef node=$name"
  if test "${url%/}" = "${3%/}" && test "${name:-$4}" = "$4"; then ours=yes; fi
fi
if test -s /var/lib/nova/compute_id; then
  read -r id </var/lib/nova/compute_id
  echo "compute id=$id"
fi

# names PATTERNS: the files that match them, without their directories and the ending .xml
names() { for each in $1; do test ! -e "$each" || basename "$each" .xml; done | paste -sd ,; }
echo "domains=$(names '/etc/libvirt/qemu/*.xml')"
echo "databases=$(names '/var/lib/mysql/keystone /var/lib/mysql/nova /var/lib/mysql/neutron')"

if test -n "$ours"; then echo ours=yes; fi
if test -n "$1"; then
  reach server "$1" "$2" &
  for each in $(test -n "$ours$5" || mirrors 2>/dev/null); do
    place=${each#*://}
    place=${place##*@}
    case $each in https*) port=443 ;; *) port=80 ;; esac
    case $place in
      *\]) ;;
      *:*) port=${place##*:} place=${place%:*} ;;
    esac
    place=${place#\[}
    reach "mirror ${place%\]} $port" "${place%\]}" "$port" &
  done
fi
wait
