# Looks at a node before anything is changed on it, as root. Prints NAME=VALUE lines.
# $1 and $2 are the Chef server's host and port, empty where a proxy leads to it.
echo "uid=$(id -u)"
(. /etc/os-release && echo "id=$ID" && echo "version=${VERSION_ID:-}" && echo "release=$PRETTY_NAME")
read -r host </proc/sys/kernel/hostname && echo "host=$host"
echo "time=$(date +%s)"
df -Pk / /var | awk '
  /^MemAvailable/ { print "memory=" $2 }
  FNR < NR && FNR > 1 { print "free " (FNR == 2 ? "/" : "/var") "=" $4 }' /proc/meminfo -
if command -v chef-client >/dev/null; then echo client=yes; fi
if [ -n "$1" ]; then
  # bash opens a connection by itself; what it says ends with the reason
  why=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>&1)
  case $? in
    0) echo server=reached ;;
    124) echo "server=no response within 5 s" ;;
    *) echo "server=$(printf '%s' "$why" | sed -n '1s/.*: //p')" ;;
  esac
fi
