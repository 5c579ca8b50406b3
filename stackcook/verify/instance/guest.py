"""What an instance of the image ``test`` does and prints: its user data, and its console log.

The image prints lines ``test-image: …`` while it boots; the script that it gets as user data prints
``stackcook-verify: NAME ok`` or ``stackcook-verify: NAME failed WHY`` for each thing that it tries.
Pure.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CLOSED_PORT = 8080
"""The instance listens on it, and its security group does not open it."""

_SIZE = 100_000
"""Bytes that instances fetch from each other: more than one packet, which small MTUs spoil."""

_LINE = re.compile(r"test-image: (\S+) ?(.*)")
_RESULT = re.compile(r"stackcook-verify: (.+?) (ok|failed)\b ?(.*)")


@dataclass(frozen=True)
class Peer:
    """Another instance: its name, which is its host name, and its address."""

    name: str
    address: str


@dataclass(frozen=True)
class Console:
    """A console log: the image's lines by their first word, the script's results by their name.

    A result is ``""`` for success, otherwise why it failed. ``last`` is the last line of all.
    """

    image: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, str] = field(default_factory=dict)
    last: str = ""

    @property
    def host_key(self) -> str:
        """The SSH host key as in known_hosts, ``ssh-ed25519 AAAA…``; ``""`` if there is none."""
        word, _, key = self.image.get("host", "").partition(" ")
        return key if word == "key" else ""


def read_console(text: str) -> Console:
    """Read what an instance has printed so far; after a reboot, what it has printed since."""
    image: dict[str, str] = {}
    results: dict[str, str] = {}
    last = ""
    for line in text.splitlines():
        line = "".join(char for char in line if char.isprintable()).strip()
        last = line or last
        if found := _LINE.search(line):
            if found[1] == "booting":
                image, results = {}, {}
            image[found[1]] = found[2].strip()
        elif found := _RESULT.search(line):
            results[found[1]] = "" if found[2] == "ok" else found[3].strip() or "no reason given"
    return Console(image, results, last)


def dhcp(console: Console, address: str) -> str | None:
    """What is wrong with the address that DHCP gave: ``""`` if nothing is, None if not known yet.

    The same holds for the other functions below.
    """
    said = console.image.get("dhcp")
    if said is None:
        return None
    given = said.split()[0] if said else ""
    if given == "failed":
        return "the instance got no address by DHCP"
    return "" if given == address else f"DHCP gave it {given or 'nothing'}, but its port {address}"


def metadata(console: Console, uuid: str) -> str | None:
    """What is wrong with the metadata."""
    said = console.image.get("metadata")
    if said is None:
        return None
    given = said.split()[0] if said else ""
    if given == "failed":
        return "the instance got no metadata from 169.254.169.254"
    return "" if given == uuid else f"it got the metadata of another instance, {given or 'none'}"


def key(console: Console) -> str | None:
    """What is wrong with the SSH key."""
    said = console.image.get("key")
    if said is None or said == "installed":
        return "" if said else None
    return "its metadata has no SSH key"


def user_data(console: Console) -> str | None:
    """What is wrong with the user data; it runs beside the rest of the boot."""
    return console.results.get("user-data")


def tunnel(peer: str) -> str:
    """The name of the result for the traffic to a peer's address."""
    return f"tunnel {peer}"


def closed(peer: str) -> str:
    """The name of the result for the port of a peer's address that must be closed."""
    return f"closed {peer}"


OUTSIDE = "outside"
"""The name of the result for the traffic to the gateway of the external network."""


def write_disk(volume: str, text: str) -> str:
    """The command that writes a line to the attached volume of that ID."""
    return f"{_find_disk(volume)} && echo {shlex.quote(text)} | dd of=/dev/$disk conv=fsync"


def read_disk(volume: str) -> str:
    """The command that prints the first line of the attached volume of that ID."""
    return f"{_find_disk(volume)} && head -n 1 /dev/$disk"


def _find_disk(volume: str) -> str:
    """The shell commands that set ``disk``; they fail if the volume is not attached."""
    serial = shlex.quote(volume[:20])  # virtio has no more
    return f'disk=$(grep -l "^"{serial} /sys/block/vd*/serial | cut -d/ -f4) && [ -n "$disk" ]'


def script(peers: Sequence[Peer], gateway: str, seconds: int) -> str:
    """The user data of an instance: what it offers to its peers, and what it tries.

    ``gateway`` is the external network's, ``""`` for none. Each attempt is repeated for
    ``seconds``: peers boot at the same time.
    """
    lines = [_SCRIPT.format(seconds=seconds, port=CLOSED_PORT, size=_SIZE)]
    for peer in peers:
        lines.append(f"peer {shlex.quote(peer.address)} {shlex.quote(peer.name)} &")
    if gateway:
        lines.append(f"attempt {OUTSIDE} ping -c 1 -W 3 {shlex.quote(gateway)} &")
    return "\n".join((*lines, "wait", ""))


_SCRIPT = """\
#!/bin/sh
# From `stackcook verify`: tries the network, and prints the results on the console.
say() {{
    echo "stackcook-verify: $*"
    echo "$*" >> /var/www/results
}}

now() {{
    cut -d. -f1 /proc/uptime
}}

attempt() {{  # NAME COMMAND...
    name=$1
    shift
    end=$(($(now) + {seconds}))
    until why=$("$@" 2>&1); do
        if [ "$(now)" -ge $end ]; then
            say "$name failed" $why
            return 1
        fi
        sleep 1
    done
    say "$name ok"
}}

reach() {{  # ADDRESS NAME
    ping -c 1 -W 3 "$1" > /dev/null || {{ echo "no answer to ping"; return 1; }}
    page=$(wget -T 5 -q -O - "http://$1/") || {{ echo "no answer to HTTP"; return 1; }}
    case "$page" in
        "hello from $2"*) ;;
        *) echo "another instance answers: $page"; return 1 ;;
    esac
    got=$(wget -T 10 -q -O - "http://$1/much" | wc -c)
    [ "$got" -eq {size} ] || {{ echo "only $got of {size} bytes arrived"; return 1; }}
}}

peer() {{  # ADDRESS NAME
    attempt "tunnel $1" reach "$1" "$2" || return
    if wget -T 3 -q -O /dev/null "http://$1:{port}/"; then
        say "closed $1 failed port {port} is open"
    else
        say "closed $1 ok"
    fi
}}

httpd -p {port} -h /var/www
head -c {size} /dev/zero > /var/www/much
say "user-data ok"
"""
