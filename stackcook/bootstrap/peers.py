"""The connections between nodes: who tests which, the command, and what its output means. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackcook.bootstrap.compare import Facts
from stackcook.bootstrap.findings import NodeFinding
from stackcook.bootstrap.needs import TUNNEL, Wanted

SCRIPT = Path(__file__).with_name("peers.sh")

WINDOW = 3
"""Seconds for which nodes try to reach each other; more if there are many to log in to."""


@dataclass(frozen=True)
class Links:
    """What one node tests: it sends whole packets to ``peers``, and asks ``tunnels``."""

    peers: tuple[str, ...] = ()
    tunnels: tuple[str, ...] = ()


def links(order: Sequence[str], facts: Facts, wanted: Mapping[str, Wanted]) -> Mapping[str, Links]:
    """Node → its links: to all controllers, and to its neighbours in a ring in that ``order``.

    So their number grows with that of the nodes. Only nodes with tunnels that are not installed yet
    test anything; the tunnel port of those that are belongs to Open vSwitch.
    """
    usable = [n for n in order if n in facts and wanted[n].address and not wanted[n].lab]
    ring = [node for node in usable if wanted[node].need.tunnels]
    new = [node for node in ring if not facts[node].ours]
    controllers = [node for node in usable if wanted[node].controls]
    found = {}
    for node in new:
        peers = dict.fromkeys((*controllers, *_beside(node, ring)))
        peers.pop(node, None)
        found[node] = Links(tuple(peers), _beside(node, new))
    return {node: link for node, link in found.items() if link.peers or link.tunnels}


def command(node: str, link: Links, wanted: Mapping[str, Wanted], nodes: int) -> str:
    """The shell command to run on ``node`` as root, on all ``nodes`` at the same time."""
    words = (
        str(seconds(nodes)),
        str(wanted[node].mtu),
        wanted[node].address,
        " ".join(wanted[peer].address for peer in link.tunnels),
        *(wanted[peer].address for peer in link.peers),
    )
    return f"set -- {shlex.join(words)}\n{SCRIPT.read_text()}"


def seconds(nodes: int) -> int:
    """How long the command takes at most, without its pings."""
    return WINDOW + nodes // 20


def judge(outputs: Mapping[str, str], wanted: Mapping[str, Wanted]) -> Iterator[NodeFinding]:
    """The findings in the ``outputs`` of the commands, by node."""
    names = {each.address: node for node, each in wanted.items()}
    busy = {node for node, output in outputs.items() if "busy=" in output}
    lost: dict[tuple[str, str], list[str]] = {}
    closed: dict[str, list[str]] = {}
    for node, output in outputs.items():
        for line in output.splitlines():
            key, _, value = line.partition("=")
            what, _, address = key.partition(" ")
            peer = names.get(address, address)
            if what == "mtu":
                lost.setdefault((node, value), []).append(peer)
            elif what == "tunnel" and peer in outputs and peer not in busy:
                closed.setdefault(peer, []).append(node)
            elif what == "untested":
                yield NodeFinding("peers", node, value)
    for (node, limit), peers in lost.items():
        said = f"packets of {wanted[node].mtu} bytes do not reach {', '.join(sorted(peers))}"
        yield NodeFinding("mtu", node, said + (f"; the limit is {limit}" if limit else ""))
    for node, peers in closed.items():
        who = ", ".join(sorted(peers))
        yield NodeFinding("tunnel", node, f"its UDP port {TUNNEL} cannot be reached from {who}")


def _beside(node: str, ring: Sequence[str]) -> tuple[str, ...]:
    """The neighbours of a node in the ring."""
    at = ring.index(node)
    around = dict.fromkeys((ring[at - 1], ring[(at + 1) % len(ring)]))
    return tuple(other for other in around if other != node)
