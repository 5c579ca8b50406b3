#!/bin/bash
# Installs the gems of the lock lists into the user's cache and puts their commands into DIRECTORY;
# prints nothing if they are installed. Ignores GEM_HOME and Bundler settings of the caller.
#   gems.sh [--missing] DIRECTORY    --missing: only print how many gems would be installed
set -euo pipefail
only=
[ "$1" != --missing ] || { only=yes; shift; }
bin=$1
cd "$(dirname "$0")/.."
unset GEM_HOME GEM_PATH RUBYOPT RUBYLIB BUNDLE_GEMFILE
ruby=/usr/bin/ruby
locks=("$PWD/client/client.lock" "$PWD/setup/gems.lock" "$PWD/setup/old-gems.lock")
count=$(sed '/^#/d' "${locks[@]}" | wc -l)
# Without Ruby, they can't be there: setup installs it with the packages.
if [ "$only" ] && [ ! -x "$ruby" ]; then
    echo "$count"
    exit 0
fi
commands=(knife chef-client chef-zero chef-cli berks librarian-chef spiceweasel cookstyle rspec)

cache=${XDG_CACHE_HOME:-~/.cache}/stackcook/gems # as cache.py: HOME may be unset
abi=$($ruby --disable-gems -rrbconfig -e 'print RbConfig::CONFIG["ruby_version"], " ", RbConfig::CONFIG["arch"]')
key=$({ echo "$abi"; cat "${locks[@]}"; } | sha256sum | cut -c1-16)
home=$cache/$key
if [ "$only" ]; then
    [ -d "$home" ] && [ "$(cat "$bin/.gems" 2>/dev/null)" = "$home" ] || echo "$count"
    exit 0
fi

install_gems() {
    local new=$cache/.new-$key log=$cache/install.log old
    echo "setup: installing $count Ruby gems (one to three minutes)"
    rm -rf "$new"
    mkdir -p "$new/cache"
    for old in "$cache"/*/cache; do # reuse the downloads of earlier lists
        cp -l "$old"/*.gem "$new/cache/" 2>/dev/null || : # there are none
    done
    if ! (build "$new") >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "setup: gem install failed; see $log" >&2
        exit 1
    fi
    rm -rf "$home"
    mv "$new" "$home"
}

# Two at a time, each with consecutive gems: dependencies of an extension come before it.
build() {
    local new=$1 install=(/usr/bin/gem install --local --ignore-dependencies --no-document)
    $ruby client/fetch_gems.rb "$new/cache" "${locks[@]}" || return
    cd "$new/cache"
    sed -E '/^(#|$)/d; s/ (.*)/-\1.gem/' "${locks[@]}" | GEM_HOME=$new GEM_PATH=$new \
        MAKEFLAGS=-j$(nproc) xargs -P 2 -n 45 "${install[@]}" --install-dir "$new" --bindir "$new/bin" || return
    correct "$new/specifications"
}

# spiceweasel asks for Chef 11 and works with 18; librarian-chef would accept a minitar that is too new.
correct() {
    sed -i -E '/\.add_[a-z_]*dependency\(/d' "$1"/spiceweasel-*.gemspec &&
        sed -i -E '/<minitar>/s/">= 0[^"]*"/"< 1"/' "$1"/librarian-chef-*.gemspec
}

if [ ! -d "$home" ]; then
    mkdir -p "$cache"
    (
        flock 9 # another checkout may be installing the same gems
        [ -d "$home" ] || install_gems
    ) 9>"$cache/lock"
fi

# knife wants its subcommand before its options; people also type knife -c FILE SUBCOMMAND.
config_last='[ "$1" != -c ] || { config=$2; shift 2; set -- "$@" -c "$config"; }'
# spiceweasel runs knife and berks; librarian-chef's old libraries make Ruby warn each time.
declare -A before=([knife]=$config_last [spiceweasel]="export PATH='$bin':\"\$PATH\"")
declare -A switches=([librarian-chef]=-W0)

mkdir -p "$bin"
if [ "$(cat "$bin/.gems" 2>/dev/null)" != "$home" ]; then
    for command in "${commands[@]}"; do
        cat >"$bin/$command" <<END
#!/bin/sh
# Written by stackcook setup: the locked gems and no others.
unset RUBYOPT RUBYLIB BUNDLE_GEMFILE
${before[$command]-}
export GEM_HOME='$home' GEM_PATH='$home' CHEF_LICENSE="\${CHEF_LICENSE:-accept-silent}"
exec $ruby ${switches[$command]-} '$home/bin/$command' "\$@"
END
        chmod 0755 "$bin/$command"
    done
    echo "$home" >"$bin/.gems"
    echo "setup: installed the Chef client and knife. By using them you accept the Chef license:"
    echo "setup: https://www.chef.io/end-user-license-agreement (set CHEF_LICENSE to override)."
fi
# Make knife available in PATH, unless the user has one.
if ! command -v knife >/dev/null && [ -w /usr/local/bin ]; then
    ln -sf "$bin/knife" /usr/local/bin/knife
fi
