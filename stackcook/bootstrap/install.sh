# Installs the Chef client, as root, unless one of the wanted version is installed already.
# $wanted is a version or its first parts; empty: any. $doing is what runs, for the message if it fails.
set -eu
export DEBIAN_FRONTEND=noninteractive
doing="the installation"
trap 'status=$?; [ $status = 0 ] || echo "stackcook: $doing failed with status $status"' EXIT

say() { echo "-----> $1"; }

is_there() {
  command -v chef-client >/dev/null || return 1
  [ -n "$wanted" ] || return 0
  there=$(chef-client --version | sed -n 's/.*: *//p' | head -n 1)
  case "$there." in "$wanted".*) return 0 ;; esac
  say "Replacing Chef Infra Client $there with $wanted"
  return 1
}

# Without Error-Mode, apt-get update succeeds although a mirror does not respond.
apt_get() {
  doing="apt-get $1"
  apt-get -o DPkg::Lock::Timeout=300 -o APT::Update::Error-Mode=any -qq -y --no-install-recommends "$@"
}

# download URL FILE [SHA256:CHECKSUM]: with apt's own program, which every host has, and its settings
download() {
  doing="the download of $1"
  /usr/lib/apt/apt-helper download-file "$@"
}

# from_package FILE: a Debian package. The mirror is asked only if the host lacks what it depends on.
from_package() {
  say "Installing the Chef client from a package"
  if ! apt_get install --no-download "$1" >/dev/null 2>&1; then
    apt_get update
    apt_get install "$1"
  fi
  rm -f "$1"
}

# from_gems ARGUMENT…: of `gem install`; extensions are compiled here, which takes minutes
from_gems() {
  say "Installing the Chef client from gems"
  apt_get update
  apt_get install ca-certificates ruby ruby-dev build-essential libffi-dev
  doing="gem install"
  gem install --no-document "$@"
}

# from_archive FILE: the same with the gems of an archive, in the order of its list
from_archive() {
  mkdir "$1.d"
  tar -xf "$1" -C "$1.d"
  cd "$1.d"
  from_gems --local --ignore-dependencies $(cat list)
  cd /
  rm -rf "$1" "$1.d"
}

# from_script URL: a script, as --bootstrap-url names it
from_script() {
  say "Installing the Chef client with $1"
  download "$1" /var/cache/stackcook/install
  doing="the script $1"
  sh /var/cache/stackcook/install
  rm -f /var/cache/stackcook/install
}
