# Installs the Chef client from gems, as root, unless one of the wanted version is installed already.
# $wanted is a version or its first parts; empty: any.
say() { echo "-----> $1"; }

is_there() {
  command -v chef-client >/dev/null || return 1
  [ -n "$wanted" ] || return 0
  there=$(chef-client --version | sed -n 's/.*: *//p' | head -n 1)
  case "$there." in "$wanted".*) return 0 ;; esac
  say "Replacing Chef Infra Client $there with $wanted"
  return 1
}

from_gems() {
  say "Installing Chef Infra Client from gems"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -o DPkg::Lock::Timeout=300 -qq update
  apt-get -o DPkg::Lock::Timeout=300 -qq -y --no-install-recommends install \
    ca-certificates ruby ruby-dev build-essential libffi-dev
  gem install --no-document "$@"
}
