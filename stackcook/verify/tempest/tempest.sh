#!/bin/sh
# Runs Tempest on a node, as root: tempest.sh prepare | install | list | run WORKERS | subunit | remove | uninstall
#
# Everything is in this script's directory, which only root can read. `remove` deletes what the tests have left in
# the cloud and the directory's files; `uninstall` also the packages that `install` has added, and the directory.
set -eu
umask 077
here=$(cd "$(dirname "$0")" && pwd)
unit=stackcook-tempest
export HOME="$here" LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive TEMPEST_CONFIG_DIR="$here/workspace/etc"

get() { apt-get -qq -o DPkg::Lock::Timeout=120 --no-install-recommends "$@" install tempest iputils-ping; }

# Stops a run that was interrupted, and deletes what its tests have created
clean() {
    systemctl stop "$unit" 2>/dev/null || true
    [ -e "$here/workspace/resource_list.json" ] || return 0
    cd "$here/workspace"
    tempest cleanup --resource-list >cleanup.log 2>&1 || { tail -n 3 cleanup.log >&2; return 1; }
}

case $1 in
prepare)
    clean
    rm -rf "$here/workspace" "$here/.tempest"
    ;;
install)
    if ! dpkg-query -W -f '${Status}\n' tempest iputils-ping 2>/dev/null | grep -c '^install ok installed$' | grep -q 2; then
        get --simulate >/dev/null 2>&1 || apt-get -qq update
        # new packages only, not upgrades, which have their old version in brackets
        get --simulate | sed -n 's/^Inst \([^ ]*\) (.*/\1/p' >>"$here/packages"
        get --yes >&2 || { apt-get -qq update && get --yes >&2; }
    fi
    tempest init "$here/workspace" >/dev/null 2>"$here/init.log" || { cat "$here/init.log" >&2; exit 1; }
    ;;
list)
    cd "$here/workspace"
    # the last lines are always the same; those before say why
    tempest run --list-tests 2>list.log || { grep -v -e '^=*$' -e 'above traceback' list.log | tail -n 1 >&2; exit 1; }
    ;;
run)
    cd "$here/workspace"
    # the test of Horizon has no option for the CA
    ca=$(sed -n 's/^ca_certificates_file *= *//p' etc/tempest.conf)
    # a unit of its own, as its processes can be stopped for certain
    systemd-run --quiet --collect --wait --pipe --unit "$unit" --working-directory "$PWD" --nice 5 \
        -p RuntimeMaxSec=8h -p TimeoutStopSec=20 -E HOME -E LC_ALL -E TEMPEST_CONFIG_DIR -E OS_TEST_TIMEOUT=1800 ${ca:+-E "SSL_CERT_FILE=$ca"} \
        sh -c 'tempest run --subunit --load-list tests.txt --concurrency "$1" 2>run.log | tee tempest.subunit | python3 stream.py' sh "$2"
    [ -s tempest.subunit ] || { tail -n 3 run.log >&2; exit 1; }
    ;;
subunit)
    gzip -c "$here/workspace/tempest.subunit" | base64
    ;;
remove)
    clean
    rm -rf "$here/workspace" "$here/.tempest" "$here/init.log"
    [ -s "$here/packages" ] || rm -rf "$here"
    ;;
uninstall)
    clean
    # unlike apt-get, dpkg removes nothing else, and refuses if something needs one of them
    # shellcheck disable=SC2046
    [ ! -s "$here/packages" ] || dpkg --purge $(sort -u "$here/packages") >/dev/null
    rm -rf "$here"
    ;;
*)
    echo "unknown: $1" >&2
    exit 2
    ;;
esac
