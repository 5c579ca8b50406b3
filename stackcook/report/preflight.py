"""What preflight has found: a page for people, with each host beside what its node needs; and JUnit
XML, with a case for each kind of finding on each host.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stackcook.bootstrap.cards import Card, NoCard, described, meant, select
from stackcook.bootstrap.findings import KINDS, NodeFinding
from stackcook.bootstrap.hardware import Disk, Hardware
from stackcook.bootstrap.needs import TUNNEL, Wanted
from stackcook.bootstrap.preflight import HostFacts, Inspected, space
from stackcook.errors import counted
from stackcook.manifest.model import InterfaceKind
from stackcook.report import template
from stackcook.report.format import when
from stackcook.report.junit import FAILURE, SKIP, Case, Suite, document
from stackcook.run.events import Findings


@dataclass(frozen=True)
class Row:
    """Something that a node needs, and what its host has.

    ``level`` is that of the worst finding about it: ``error``, ``warning``, ``ignored``; empty
    without one, and ``-`` if it was not checked.
    """

    name: str
    needed: str
    has: str
    level: str


def page(found: Findings, name: str) -> str:
    """The page of a cloud of that name. Texts from hosts are escaped."""
    return template.render(
        "preflight.html",
        {"when": when, "count": counted},
        title=f"preflight of {name}",
        found=found,
        errors=sum(finding.stops for finding in found.findings),
        hosts=[(node, hardware(node.facts), needed(node)) for node in found.nodes],
        size=size,
        link=link,
    )


def junit(found: Findings, name: str) -> str:
    """The document of a cloud of that name: a suite for each host, a case for each kind of finding.

    An error is a failure. What does not stop a deploy is skipped, and so is what was not checked.
    """
    suites = [Suite(node.node, [_case(node, id) for id in KINDS], found.at) for node in found.nodes]
    return document("stackcook preflight", suites, cloud=name)


def hardware(facts: HostFacts | None) -> Sequence[tuple[str, str]]:
    """What a host is, in the order in which people read it: names and values, none empty."""
    if facts is None:
        return ()
    said, has = facts.said, facts.hardware
    service = said.get("time service", "")
    clock = {"yes": "synchronized", "no": "not synchronized"}.get(said.get("synchronized", ""), "")
    names = dict.fromkeys((said.get("old host", ""), said.get("host", "")))
    rows = (
        ("hostname", " → ".join(filter(None, names))),
        ("model", has.model),
        ("virtualization", _virtualization(has)),
        ("CPU", _cpu(has)),
        ("memory", f"{has.memory} MiB" if has.memory else ""),
        ("system", ", ".join(filter(None, (said.get("release"), said.get("arch"))))),
        ("kernel", said.get("kernel", "")),
        ("addresses", said.get("addresses", "").strip().replace(" ", ", ")),
        ("gateway", said.get("gateways", "").replace(",", ", ")),
        ("clock", ", ".join(filter(None, (_skew(facts), clock, service)))),
        ("firewall", said.get("firewall", "")),
        ("packages held", said.get("held", "").strip().replace(" ", ", ")),
    )
    return [(name, value) for name, value in rows if value]


def needed(node: Inspected) -> Sequence[Row]:
    """What the node needs, and whether its host has it."""
    if node.facts is None or node.wanted is None:
        return ()
    return [*_needed(node, node.facts, node.wanted)]


def size(disk: Disk) -> str:
    """The size of a disk, as it is sold."""
    giga = disk.size / 1e9
    return f"{giga / 1000:.1f} TB" if giga >= 1000 else f"{giga:.0f} GB"


def link(card: Card) -> str:
    """Whether a card has a link, and its speed."""
    if card.link is False:
        return "no link"
    if card.link and card.speed:
        return f"{card.speed} Mbit/s"
    return "up" if card.link else "down or unknown"


def _needed(node: Inspected, facts: HostFacts, wanted: Wanted) -> Iterator[Row]:
    need = wanted.need
    systems = {
        f"{platform} {constraint}"
        for platforms in wanted.platforms.values()
        for platform, constraint in platforms.items()
    }
    if systems:
        yield Row("release", ", ".join(sorted(systems)), facts.release, _level(node, "release"))
    if need.memory:
        has = "" if facts.memory is None else f"{facts.memory} MiB"
        yield Row("memory", f"{need.memory} MiB", has, _level(node, "memory"))
    for place, least in space(facts, wanted).items():
        free = facts.free(place)
        has = "" if free is None else f"{free} MiB free"
        level = _level(node, "disk-space", f"{place} has")
        yield Row(f"disk space on {place}", f"{least} MiB", has, level)
    if wanted.address:
        has = ", ".join(facts.said.get("addresses", "").split())
        yield Row("address", wanted.address, has, _level(node, "address"))
    if name := wanted.interface:
        has = "there" if name in facts.said.get("interfaces", "").split() else "missing"
        yield Row("interface of the external network", name, has, _level(node, "interface"))
    for interface in wanted.interfaces:
        if interface.kind is InterfaceKind.ETHERNET:
            match = meant(interface)
            needs = described(match) + (f", number {match.order} of them" if match.order else "")
            try:
                has = select(interface, facts.cards).name
            except NoCard as error:
                has = str(error)
            level = _level(node, "network", f"{interface.name}:")
            yield Row(f"network card {interface.name}", needs, has, level)
    for device in wanted.devices:
        has = facts.said.get(f"alias {device.path}", "")
        level = _level(node, "disk", device.path)
        yield Row(f"disk for {device.used}", device.path, has, level)
    if need.computes:
        has = "yes" if facts.hardware.kvm else "no"
        yield Row("KVM", "for speed", has, _level(node, "kvm"))
    ports = [f"TCP {port}" for port in sorted(set(need.ports.values()))]
    ports += [f"UDP {TUNNEL}"] * need.tunnels
    if ports:
        yield Row("free ports", ", ".join(ports), "", _level(node, "port"))


def _level(node: Inspected, id: str, about: str = "") -> str:
    """That of the findings with this ID that are ``about`` this, if it is given."""
    mine = (f for f in node.findings if f.id == id and about in f.what)
    levels = {finding.level for finding in mine}
    if not levels:
        return "" if id in node.checked else "-"
    return next(level for level in ("error", "warning", "ignored") if level in levels)


def _case(node: Inspected, id: str) -> Case:
    mine = [finding for finding in node.findings if finding.id == id]
    if mine:
        stops = any(finding.stops for finding in mine)
        return Case(
            id,
            f"preflight.{node.node}",
            FAILURE if stops else SKIP,
            "; ".join(_line(finding) for finding in mine),
            "\n".join(f"{finding.what}\n{finding.to_do}" for finding in mine),
        )
    if id in node.checked:
        return Case(id, f"preflight.{node.node}")
    why = "the host could not be inspected" if node.facts is None else "not checked on this host"
    return Case(id, f"preflight.{node.node}", SKIP, why)


def _line(finding: NodeFinding) -> str:
    level = "" if finding.stops else f"{finding.level}: "
    return f"{level}{finding.what}"


def _virtualization(has: Hardware) -> str:
    kvm = "with KVM" if has.kvm else "without KVM"
    return f"{has.virtual or 'none'}, {kvm}"


def _cpu(has: Hardware) -> str:
    threads = counted(has.cpus, "CPU") if has.cpus else ""
    cores = f"{counted(has.cores, 'core')} in {counted(has.sockets, 'socket')}" * bool(has.cores)
    return ", ".join(filter(None, (has.cpu, threads, cores)))


def _skew(facts: HostFacts) -> str:
    if not facts.said.get("time"):
        return ""
    return f"{facts.skew:+.0f} s to the Chef server's"
