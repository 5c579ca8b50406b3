# The root file systems of a snapshot. Run as root:
#
#   sh layers.sh copy CONTAINER DIRECTORY      of a stopped container; prints its size in bytes
#   sh layers.sh create CONTAINER DIRECTORY    a stopped container that shares the copy and keeps its changes apart
#   sh layers.sh used                          prints the setting of each container's root file system
#   sh layers.sh sync DIRECTORY                writes to the disk what is still in memory
#   sh layers.sh delete DIRECTORY…             deletes snapshots, but none that is still being written
#
# DIRECTORY has `rootfs` and `config`, the container's without what Vagrant adds at each start.
set -eu
does=$1
shift

# Those who write a snapshot hold this lock: a copy goes on after stackcook was killed.
writing() { exec 9>>"$1/.writing" && flock --shared 9; }

case $does in
copy)
    container=$(lxc-config lxc.lxcpath)/$1 directory=$2
    writing "${directory%/*/*}"
    mkdir -p "$directory"
    sed '/^# VAGRANT-BEGIN/,/^# VAGRANT-END/d' "$container/config" >"$directory/config"
    root=$(sed -n 's/^lxc.rootfs.path = //p' "$directory/config") # lxc-info leaves out the kind
    case $root in
    overlay:*)
        layers=${root#overlay:}
        # In a mount namespace of its own: if this is killed, nothing stays mounted.
        unshare --mount --propagation private sh -euc '
            mount --types overlay overlay --options "ro,lowerdir=$2:$1" "$3"
            cp --archive "$3" "$4/rootfs"' \
            - "${layers%%:*}" "${layers#*:}" "$container/rootfs" "$directory"
        ;;
    *) cp --archive "${root#dir:}" "$directory/rootfs" ;;
    esac
    du --summarize --block-size=1 "$directory/rootfs" | cut -f 1
    ;;
create)
    container=$(lxc-config lxc.lxcpath)/$1 directory=$2
    mkdir -p -m 0770 "$container"
    changes=$container/changes
    # LXC lists it from now on, so that `destroy` finds it.
    sed "s|^lxc.rootfs.path = .*|lxc.rootfs.path = overlay:$directory/rootfs:$changes|" \
        "$directory/config" >"$container/config"
    mkdir -p "$container/rootfs" "$changes"
    # The merged root directory has the owner and the mode of this one.
    chown --reference="$directory/rootfs" "$changes"
    chmod --reference="$directory/rootfs" "$changes"
    ;;
used)
    # Not by lxc-info: another deployment may delete its containers meanwhile. No container: no line.
    grep --no-messages --with-filename '^lxc.rootfs.path = ' "$(lxc-config lxc.lxcpath)"/*/config || :
    ;;
sync) sync --file-system "$1" ;;
delete)
    for directory; do
        [ -d "$directory" ] || continue
        exec 9>>"$directory/.writing"
        flock --nonblock 9 || continue
        rm --recursive --force --one-file-system -- "$directory"
    done
    ;;
esac
