"""What is wrong only beside other nodes: host names, and hosts that differ. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from stackcook.bootstrap.findings import NodeFinding
from stackcook.bootstrap.preflight import HostFacts

Facts = Mapping[str, HostFacts]
"""Node → what its host is."""


def hostnames(
    facts: Facts, nodes: Iterable[str], known: Mapping[str, Iterable[str]]
) -> Iterator[NodeFinding]:
    """Host names that are not the node's own; ``nodes`` are all of the manifest.

    ``known`` are the host names that the cloud knows of each node, in lower case; those of nodes
    that were not inspected count, too.
    """
    owners: dict[str, set[str]] = {}
    for node, names in known.items():
        for name in names if node not in facts else ():
            owners.setdefault(name, set()).add(node)
    for node, each in facts.items():
        owners.setdefault(each.hostname, set()).add(node)
    others = {name.lower(): name for name in nodes}
    for node, each in facts.items():
        host = each.hostname
        short = host.partition(".")[0]
        shared = sorted(owners[host] - {node})
        was = _own_names(node, known)
        remedy = f"set it on {node}: hostnamectl set-hostname {node}"
        if not each.ours:
            remedy += ", or add --set-hostnames to `stackcook deploy`"
        if not host:
            continue
        if shared:
            what = f'its hostname is "{host}", as that of {", ".join(shared)}'
            yield NodeFinding("hostname-duplicate", node, what, remedy)
        elif others.get(short, node) != node:
            what = f'its hostname "{host}" is the name of another node'
            yield NodeFinding("hostname-duplicate", node, what, remedy)
        elif was and not was & {host, short}:
            name = min(was)
            what = f'its hostname is "{host}", but the cloud knows it as "{name}"'
            remedy = f"set the old name again on {node}: hostnamectl set-hostname {name}"
            yield NodeFinding("hostname-changed", node, what, remedy)
        elif not was and node.lower() not in (host, short):
            yield NodeFinding("hostname-differs", node, f'its hostname is "{host}"', remedy)


def _own_names(node: str, known: Mapping[str, Iterable[str]]) -> set[str]:
    """The names by which the cloud knows this node alone.

    What it knows of several nodes is the own name of one of them at most; the others must get
    other names.
    """
    taken = {name for other, names in known.items() if other != node for name in names}
    return {
        name
        for name in known.get(node, ())
        if name not in taken or node.lower() in (name, name.partition(".")[0])
    }


def siblings(facts: Facts, groups: Iterable[Sequence[str]]) -> Iterator[NodeFinding]:
    """Hosts that differ from most others of their group, which have the same run list."""
    for group in groups:
        nodes = [node for node in group if node in facts]
        for what, of in _TRAITS:
            values = {node: of(facts[node]) for node in nodes}
            ((most, count),) = Counter(values.values()).most_common(1) or [("", 0)]
            for node, value in values.items():
                if value != most and value and most:
                    others = f"{count} of {len(nodes)} hosts with its run list have"
                    yield NodeFinding("siblings", node, f"{what}: {value}, but {others} {most}")


def _memory(facts: HostFacts) -> str:
    """Rounded: equal hosts may differ by what the firmware takes."""
    return f"{round(facts.memory / 1024)} GiB" if facts.memory else ""


def _cpus(facts: HostFacts) -> str:
    return facts.said.get("cpus", "")


def _release(facts: HostFacts) -> str:
    return facts.release if "release" in facts.said else ""


def _disks(facts: HostFacts) -> str:
    """Rounded, as disks of different makers differ a little."""
    sizes = sorted(round(disk.size / 1e9, -1) for disk in facts.hardware.disks)
    return ", ".join(f"{size:.0f} GB" for size in sizes)


def _cards(facts: HostFacts) -> str:
    """Those of the hardware; how many others there are depends on the instances."""
    cards = [card for card in facts.cards if card.pci]
    return ", ".join(sorted(f"{card.speed} Mbit/s" if card.speed else "unknown" for card in cards))


_TRAITS: Sequence[tuple[str, Callable[[HostFacts], str]]] = (
    ("model", lambda facts: facts.hardware.model),
    ("memory", _memory),
    ("CPUs", _cpus),
    ("disks", _disks),
    ("network cards", _cards),
    ("release", _release),
)
