#!/bin/bash
# Installs the Debian packages NAME… that are missing, as root or with sudo; prints nothing if none is.
#   packages.sh [--missing] NAME…    --missing: only print what is missing, one per line; a line "NAME unavailable"
#                                    is for a package that no source of apt has
set -euo pipefail
only=
[ "${1-}" != --missing ] || { only=yes; shift; }

# Debian 13 renamed libraries, such as libarchive13t64, which provides libarchive13.
installed() {
    dpkg-query -Wf '${db:Status-Status} ${Package}, ${Provides}\n' | sed -n 's/^installed //p' | tr -s ', ' '\n' | sort -u
}
mapfile -t missing < <(installed | comm -13 - <(printf '%s\n' "$@" | sort -u))
[ ${#missing[@]} -gt 0 ] || exit 0

unavailable=()
# A name that apt knows need not be a package: another one may only recommend it, or provide it.
candidates() {
    LC_ALL=C apt-cache policy "${missing[@]}" |
        awk '/^[^ ]+:$/ { name = substr($1, 1, length($1) - 1) } $1 == "Candidate:" && $2 != "(none)" { print name }'
}
provided() {
    LC_ALL=C apt-cache showpkg "${missing[@]}" |
        awk '$1 == "Package:" { name = $2; by = 0 } by && NF { print name } /^Reverse Provides:/ { by = 1 }'
}
# Debian 13 has no vagrant-lxc. Without package lists, apt knows no package, and nothing follows from that.
leave_out_unavailable() {
    [[ $(LC_ALL=C apt-cache policy) == *' Packages'* ]] || return 0
    local known
    known=$({ candidates && provided; } | sort -u)
    mapfile -t unavailable < <(printf '%s\n' "${missing[@]}" | comm -23 - <(echo "$known"))
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | comm -12 - <(echo "$known"))
}
leave_out_unavailable
if [ "$only" ]; then
    printf '%s\n' "${missing[@]}" "${unavailable[@]/%/ unavailable}" | sed '/^$/d'
    exit 0
fi
say_unavailable() { [ ${#unavailable[@]} = 0 ] || echo "setup: no source of apt has ${unavailable[*]}" >&2; }
say_unavailable
[ ${#missing[@]} -gt 0 ] || exit 0
[ "$(id -u)" = 0 ] || exec sudo bash "$(realpath "$0")" "${missing[@]}"

apt_get() { DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@"; }
install_missing() { apt_get install -y --no-install-recommends "${missing[@]}" </dev/null; }

echo "setup: installing ${#missing[@]} Debian packages: ${missing[*]}"
log=$(mktemp)
policy=
trap 'rm -f "$log" $policy' EXIT
# The tests start an sshd of their own: installing openssh-server must not open this machine's port 22.
if [[ " ${missing[*]} " == *" openssh-server "* ]] && [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\ncase $1 in ssh | ssh.*) exit 101 ;; esac\n' | install /dev/stdin "$policy"
fi
# apt's package lists may be missing or outdated: update them and retry.
if ! install_missing >"$log" 2>&1; then
    apt_get update && leave_out_unavailable && say_unavailable && install_missing >"$log" 2>&1 || {
        cat "$log" >&2
        echo "setup: apt-get install failed; check the sources in /etc/apt, then run this again" >&2
        exit 1
    }
fi
# stackcook runs goiardi itself, with its own address and keys, and the tests sshd; Debian's services are not used.
for pair in goiardi:goiardi.service openssh-server:ssh.service; do # package:service
    if [[ " ${missing[*]} " == *" ${pair%:*} "* ]] && [ -d /run/systemd/system ]; then
        systemctl disable --quiet --now "${pair#*:}"
    fi
done
