#!/bin/bash
# Builds a Debian package of the Chef client: the locked gems, compiled for one release of Debian.
#
#   build.sh PACKAGE SUITE ARCHITECTURE GEMS FETCH LOCK
#
# PACKAGE is the .deb to create, for the release SUITE. GEMS is a directory for .gem files that only this
# build uses; FETCH is a Ruby script that downloads the missing ones. Each line of LOCK names a gem:
# "NAME VERSION". Debian's packages come from the mirror that apt uses on this machine. The files are where
# `gem install` puts them. Runs as root.
set -euo pipefail
package=$1 suite=$2 architecture=$3 gems=$4 fetch=$5 lock=$6
here=$(dpkg --print-architecture)
if [ "$architecture" != "$here" ]; then
    echo "packages for $architecture cannot be built on a machine with $here"
    exit 1
fi
unset GEM_HOME GEM_PATH RUBYOPT RUBYLIB BUNDLE_GEMFILE
trap 'rm -f "$package.new"' EXIT

/usr/bin/ruby "$fetch" "$gems" "$lock"
sed -E '/^(#|$)/d; s/ (.*)/-\1.gem/' "$lock" >"$gems/files"
sed -n 's/^chef //p' "$lock" >"$gems/version"

# The apt sources of this machine, for that suite; if it has none, mmdebstrap's default.
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-none}")
apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    sed -nE "s/^(\S+) $codename(|-updates|-security) main\$/deb \1 $suite\2 main/p" |
    sort -u >"$gems/sources.list"
mirror=(-)
[ -s "$gems/sources.list" ] || mirror=()

# Runs in the new root.
cat >"$gems/install" <<'END'
set -euo pipefail
cd /var/tmp/gems
# Two processes, each with 45 gems in the order of the list: a gem comes after those it needs.
xargs -P 2 -n 45 gem install --local --ignore-dependencies --no-document <files
home=$(gem environment gemdir)
rm -rf "$home"/{cache,doc,build_info,plugins}
find "$home"/{gems,extensions} \( -name '*.o' -o -name gem_make.out -o -name mkmf.log \) -delete

tree=/var/tmp/tree
mkdir -p "$tree/DEBIAN" "$tree$(dirname "$home")" "$tree/usr/local/bin"
cp -a "$home" "$tree$home"
cp -a /usr/local/bin/. "$tree/usr/local/bin"

# The libraries that the compiled gems are linked to; libarchive is loaded by name.
mkdir -p /var/tmp/source/debian
cd /var/tmp/source
printf 'Source: stackcook\n\nPackage: stackcook-chef-client\nArchitecture: any\n' >debian/control
find "$tree" -name '*.so' -print0 | xargs -0 dpkg-shlibdeps -O 2>/dev/null |
    sed -n 's/^shlibs:Depends=//p' >/var/tmp/depends
abi=$(ruby -e 'print RUBY_VERSION[/\d+\.\d+/]')
cat >"$tree/DEBIAN/control" <<CONTROL
Package: stackcook-chef-client
Version: $(cat /var/tmp/gems/version)
Architecture: $(dpkg --print-architecture)
Maintainer: stackcook <root@localhost>
Depends: ruby, ruby$abi, ca-certificates, libarchive13t64 | libarchive13, $(cat /var/tmp/depends)
Description: Chef Infra Client, with the gems that stackcook has locked
 Built by stackcook from unmodified gems.
CONTROL
dpkg-deb --root-owner-group -Zzstd --build "$tree" /var/tmp/gems/client.deb
END

export gems package
umask 022
eatmydata=$(command -v eatmydata || :)
$eatmydata mmdebstrap --quiet --mode=root --variant=minbase --format=null \
    --include=ruby,ruby-dev,build-essential,libffi-dev,ca-certificates \
    --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
    --customize-hook='mkdir "$1/var/tmp/gems" && cp "$gems"/* "$1/var/tmp/gems"' \
    --customize-hook='chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
        HOME=/root MAKEFLAGS=-j$(nproc) bash /var/tmp/gems/install' \
    --customize-hook='cp "$1/var/tmp/gems/client.deb" "$package.new"' \
    "$suite" - "${mirror[@]}" <"$gems/sources.list"
chown "${SUDO_UID:-0}:${SUDO_GID:-0}" "$package.new"
mv "$package.new" "$package"
