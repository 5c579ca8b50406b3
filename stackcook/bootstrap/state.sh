# Lists of what a host has, one thing on each line. Used before the first change, and to give the
# host back. Programs that the host does not have list nothing.
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
home=/var/lib/stackcook
record=$home/record

came="packages configured units users groups directories gems rules" # what is noted for each step

has() { command -v "$1" >/dev/null; }

# list NAME: packages, units, users, …; sorted, for comm
list() {
  case $1 in
    packages) dpkg-query -W -f '${binary:Package} ${db:Status-Abbrev}\n' | sed -n 's/ [ih].*//p' ;;
    configured) dpkg-query -W -f '${binary:Package} ${db:Status-Abbrev}\n' | sed -n 's/ rc.*//p' ;;
    manual) apt-mark showmanual ;;
    units) systemctl list-unit-files --no-legend --plain | awk '{ print $1 }' ;;
    enabled) systemctl list-unit-files --no-legend --plain --state=enabled | awk '{ print $1 }' ;;
    active) systemctl list-units --no-legend --plain --state=active --type=service,socket,timer,path |
      awk '{ print $1 }' ;;
    users) cut -d: -f1 /etc/passwd ;;
    groups) cut -d: -f1 /etc/group ;;
    directories) for each in /opt /srv /var /var/cache /var/lib /var/log /var/spool /usr/local/lib; do
      find "$each" -mindepth 1 -maxdepth 1 2>/dev/null
    done ;;
    gems) find /var/lib/gems/*/specifications -name '*.gemspec' 2>/dev/null |
      sed 's|.*/||; s|\.gemspec$||' ;;
    links) ip -o link show | awk -F': ' '{ sub(/@.*/, "", $2); print $2 }' ;;
    up) ip -o link show up | awk -F': ' '{ sub(/@.*/, "", $2); print $2 }' ;;
    addresses) ip -o address show scope global | awk '{ print $2, $4 }' ;;
    routes) ip route show proto static && ip route show proto boot ;;
    namespaces) ip netns list | awk '{ print $1 }' ;;
    bridges) ! has ovs-vsctl || timeout 20 ovs-vsctl --timeout=10 list-br ;;
    domains) ! has virsh || timeout 60 virsh list --all --name | sed '/^$/d' ;;
    rules) ! has nft || nft list tables ;;
    mounts) awk '$2 !~ "^/(proc|sys|dev|run)(/|$)" { print $2 }' /proc/mounts ;;
    kernel) for key in net.ipv4.ip_forward net.ipv4.conf.all.rp_filter net.ipv6.conf.all.forwarding; do
      value=$(sysctl -n "$key" 2>/dev/null) && echo "$key=$value"
    done ;;
    etc) find /etc -xdev \( -type f -o -type l -o -type d \) ;;
  esac 2>/dev/null | sort -u
}
