"""The preflight checks of a node: one shell command, how to read its output, what is wrong."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from stackcook.bootstrap.cards import Card, chosen, read_cards
from stackcook.bootstrap.findings import NodeFinding
from stackcook.bootstrap.hardware import Hardware, read_hardware
from stackcook.bootstrap.needs import TUNNEL, Need, Wanted
from stackcook.chef.objects.metadata import satisfies
from stackcook.manifest.model import InterfaceKind

SCRIPT = Path(__file__).with_name("preflight.sh")
TIMEOUT = 60.0
FREE = 1024
"""MiB that must be free on /, /var and /var/log, on any node."""

SKEW = 600.0
"""Seconds that a node's clock may differ from the Chef server's; that refuses from 900 on."""

RELEASES = {"debian": (12,), "ubuntu": (24, 4)}
"""The oldest releases whose Ruby runs the client's gems (3.1), by the ID in os-release."""

PLATFORMS = {"rhel": "redhat", "ol": "oracle", "sles": "suse", "amzn": "amazon"}
"""What Chef calls a platform, where it is not the ID in os-release."""

NO_NAME = "the name does not resolve"
"""What the script says of a host whose address can't be found."""

BUNDLED = "/etc/apt/apt.conf.d/99stackcook-bundle"
"""apt's configuration on a node that has the packages of a bundle."""

_LABEL = r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"

_PORTS = {"http": 80, "https": 443}
_ANY = ("0.0.0.0", "*", "[::]")
_Found = Iterator[tuple[str, str]]
"""IDs, each with what was found."""


@dataclass(frozen=True)
class _Check:
    """What looks for findings with some ``ids``.

    ``new``: only on a host that the Chef server does not know yet. ``hosts``: not on machines that
    stackcook has made.
    """

    find: Callable[[HostFacts, Wanted], _Found]
    ids: tuple[str, ...]
    new: bool = False
    hosts: bool = False


@dataclass(frozen=True)
class HostFacts:
    """What the script has printed: names and values, see preflight.sh.

    ``url`` is the Chef server's, ``now`` its time. ``mine``: the host has the private key of its
    node there. ``installs``: stackcook installs its own Chef client if there is none.
    """

    said: Mapping[str, str]
    url: str
    now: float
    mine: bool = False
    installs: bool = True

    @property
    def client(self) -> bool:
        """Whether a Chef client of any version is installed."""
        return "client" in self.said

    @property
    def ours(self) -> bool:
        """Whether the host is a client of this Chef server already, as this node.

        The server's URL may have changed since then.
        """
        return self.mine or "ours" in self.said

    @property
    def renames(self) -> bool:
        """Whether network cards can get other names; in containers they cannot."""
        return "udev" in self.said

    @property
    def cards(self) -> Sequence[Card]:
        """The network cards, by PCI address."""
        return read_cards(self.said)

    @property
    def hardware(self) -> Hardware:
        """What it is made of."""
        return read_hardware(self.said)

    @property
    def skew(self) -> float:
        """Seconds that its clock is ahead of the Chef server's; 0 if unknown."""
        return float(self.said.get("time") or self.now) - self.now

    def renamed(self, name: str) -> HostFacts:
        """As they will be when the host has this name."""
        host = {"host": name, "old host": self.said.get("host", ""), "named": "127.0.1.1"}
        return replace(self, said={**self.said, **host})

    @property
    def hostname(self) -> str:
        """The host's own name in lower case; empty if it has none."""
        host = self.said.get("host", "").lower()
        return "" if host in ("(none)", "localhost") else host

    @property
    def memory(self) -> int | None:
        """MiB of memory, free or not; None if unknown."""
        return int(self.said["total"]) >> 10 if "total" in self.said else None

    @property
    def debian(self) -> str:
        """Codename and architecture, as in a bundle: ``trixie-amd64``."""
        return f"{self.said.get('codename', '')}-{self.said.get('arch', '')}"

    @property
    def release(self) -> str:
        """The operating system, as people call it."""
        return self.said.get("release", "?")

    def free(self, place: str) -> int | None:
        """MiB that are free on a directory's file system; None if unknown."""
        found = self.said.get(f"free {place}")
        return None if found is None else int(found) >> 10

    def __str__(self) -> str:
        memory = int(self.said.get("memory", 0)) >> 10
        free = min(self.free("/") or 0, self.free("/var") or 0)
        return f"{self.release}, {memory} MiB of memory and {free} MiB of disk free"


@dataclass(frozen=True)
class Inspected:
    """What preflight knows of one node.

    ``facts`` and ``wanted`` are None if stackcook could not inspect its host, ``checked`` are the
    IDs of what was looked for.
    """

    node: str
    findings: tuple[NodeFinding, ...] = ()
    facts: HostFacts | None = None
    wanted: Wanted | None = None
    checked: frozenset[str] = frozenset()


def command(url: str, node: str, *, proxied: bool = False, bundled: bool = False) -> str:
    """The shell command to run as root; ``url`` is the Chef server's, as ``node`` reaches it.

    ``bundled``: the node gets its packages from a bundle, and asks no mirror.
    """
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 443)
    to = ("", "") if proxied else (parts.hostname or "", str(port))
    words = (*to, url, node, *(("bundled",) if bundled else ()))
    return f"set -- {shlex.join(words)}\n{SCRIPT.read_text()}"


def read(
    output: str, url: str, now: float, *, mine: bool = False, installs: bool = True
) -> HostFacts:
    """The facts in the ``output`` of the command. Raises ValueError if it is cut off or garbled."""
    said = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    for name, value in said.items():
        if name in ("memory", "total") or name.startswith("free "):
            int(value)
        elif name == "time" and value:
            float(value)
    return HostFacts(said, url, now, mine, installs)


def is_hostname(name: str) -> bool:
    """Whether a host can have this name, as DNS and Linux allow."""
    return len(name) <= 64 and bool(re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", name))


def judge(node: str, facts: HostFacts, wanted: Wanted = Wanted()) -> tuple[NodeFinding, ...]:
    """What is wrong with a node's host. Pure."""
    found = (pair for check in _checks(facts, wanted) for pair in check.find(facts, wanted))
    return tuple(NodeFinding(id, node, what) for id, what in dict.fromkeys(found))


def checked(facts: HostFacts, wanted: Wanted = Wanted()) -> frozenset[str]:
    """The IDs of the findings that :func:`judge` looks for on this host."""
    return frozenset(id for check in _checks(facts, wanted) for id in check.ids)


def _checks(facts: HostFacts, wanted: Wanted) -> Iterator[_Check]:
    """The checks of a host: a node that is there already is not asked for what a new one needs."""
    for check in _CHECKS:
        if not (check.new and facts.ours or check.hosts and wanted.lab):
            yield check


def space(facts: HostFacts, wanted: Wanted) -> Mapping[str, int]:
    """Directory → MiB that must be free there."""
    disk, bundle = (0, 0) if facts.ours else (wanted.need.disk, wanted.bundle)
    root, var, log = (facts.said.get(f"device {place}") for place in ("/", "/var", "/var/log"))
    logs = {"/var/log": FREE} if log not in (None, var) else {}
    if root == var:
        return {**dict.fromkeys(("/", "/var"), max(FREE, disk + bundle)), **logs}
    return {"/": max(FREE, disk // 2), "/var": max(FREE, disk // 2 + bundle), **logs}


def _disk(facts: HostFacts, wanted: Wanted) -> _Found:
    for place, need in space(facts, wanted).items():
        free = facts.free(place)
        if free is not None and free < need:
            yield "disk-space", f"{place} has {free} MiB free, but needs {need} MiB"


def _memory(facts: HostFacts, wanted: Wanted) -> _Found:
    if facts.memory is not None and facts.memory < wanted.need.memory:
        what = f"it has {facts.memory} MiB of memory, but needs {wanted.need.memory} MiB"
        yield "memory", what


def _clock(facts: HostFacts, wanted: Wanted) -> _Found:
    off = facts.skew
    if abs(off) > SKEW:
        shown = f"{abs(off) / 60:.0f} min {'ahead of' if off > 0 else 'behind'}"
        limit = f"may differ by only {SKEW / 60:.0f} min"
        yield "clock", f"its clock is {shown} the Chef server's, but {limit}"


def _client(facts: HostFacts, wanted: Wanted) -> _Found:
    if facts.client or not facts.installs:
        return
    oldest, version = RELEASES.get(facts.said.get("id", "")), facts.said.get("version", "")
    # Debian's testing has no version
    if not oldest or (version and tuple(map(int, re.findall(r"\d+", version))) < oldest):
        here, known = facts.release or "this system", "Debian 12, Ubuntu 24.04 or later"
        yield "release", f"the Chef client cannot be installed on {here}, only on {known}"


def _supported(facts: HostFacts, wanted: Wanted) -> _Found:
    id, version = facts.said.get("id", ""), facts.said.get("version", "")
    refused: dict[str, list[str]] = {}
    for cookbook, platforms in wanted.platforms.items():
        constraint = platforms.get(PLATFORMS.get(id, id))
        if constraint is None or (version and not satisfies(version, constraint)):
            shown = ", ".join(" ".join(pair) for pair in platforms.items())
            refused.setdefault(shown, []).append(cookbook)
    for shown, cookbooks in refused.items() if id else ():
        names = ", ".join(cookbooks[:3]) + ("" if len(cookbooks) <= 3 else ", …")
        yield "release", f"{facts.release} is not supported by {names}: only {shown}"


def _bundled(facts: HostFacts, wanted: Wanted) -> _Found:
    if wanted.releases is not None and facts.debian not in wanted.releases:
        known = ", ".join(sorted(wanted.releases)) or "none"
        what = f"the bundle has no packages of this node for {facts.debian}, only for {known}"
        yield "release", what


def _systemd(facts: HostFacts, wanted: Wanted) -> _Found:
    if init := facts.said.get("init"):
        yield "systemd", f"its PID 1 is {init}, not systemd"


def _time_service(facts: HostFacts, wanted: Wanted) -> _Found:
    """A container has the clock of its host."""
    said = facts.said
    unkept = said.get("synchronized") == "no" and "time service" not in said
    if unkept and "container" not in said:
        yield "time-service", "no time service runs on it, and its clock is not synchronized"


def _name(facts: HostFacts, wanted: Wanted) -> _Found:
    # a cloud that has such a name works, and must keep it
    legal = is_hostname(facts.hostname) or facts.ours or wanted.lab
    if "host" in facts.said and not (facts.hostname and legal):
        yield "hostname", f'its hostname must not be "{facts.said["host"]}"'


def _lookup(facts: HostFacts, wanted: Wanted) -> _Found:
    if "named" not in facts.said or not facts.hostname:
        return
    found = facts.said["named"].split()
    its = {*facts.said.get("addresses", "").split(), wanted.address, *_described(wanted)}
    others = [address for address in found if address not in its and not _own(address)]
    if not found:
        yield "hostname-lookup", f"its own name {facts.hostname} does not resolve"
    elif others:
        shown = ", ".join(others)
        what = f"its own name {facts.hostname} resolves to {shown}, which no interface has"
        yield "hostname-lookup", what


def _own(address: str) -> bool:
    """Whether any host has this address: a loopback or link-local one."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return parsed.is_loopback or parsed.is_link_local


def _firewall(facts: HostFacts, wanted: Wanted) -> _Found:
    if firewall := facts.said.get("firewall"):
        ports = [f"TCP {port}" for port in sorted(set(wanted.need.ports.values()))]
        ports += [f"UDP {TUNNEL}"] * wanted.need.tunnels
        if ports:
            what = f"{firewall} filters what comes in; the node needs {', '.join(ports)}"
            yield "firewall", what


def _link(facts: HostFacts, wanted: Wanted) -> _Found:
    cards, _ = chosen(wanted.interfaces, facts.cards)
    used = [*cards.values(), *(card for card in facts.cards if wanted.interface in card.names)]
    for card in used:
        if card.link is False:
            yield "link", f"{card.name} has no link"


def _server(facts: HostFacts, wanted: Wanted) -> _Found:
    why = facts.said.get("server", "reached")
    if why != "reached":
        yield "chef-server", f"it cannot reach the Chef server at {facts.url} ({why})"


def _mirrors(facts: HostFacts, wanted: Wanted) -> _Found:
    if (facts.client or not facts.installs) and wanted.need == Need():
        return  # nothing is known to be installed from there
    for name, why in facts.said.items():
        if name.startswith("mirror ") and why != "reached":
            _, host, port = name.split(" ")
            if why == NO_NAME:
                yield "dns", f"it cannot resolve the name of the package mirror {host}"
            else:
                yield "mirror", f"it cannot reach the package mirror {host}, port {port} ({why})"


def _lock(facts: HostFacts, wanted: Wanted) -> _Found:
    if holder := facts.said.get("lock"):
        yield "apt-lock", f"{holder} holds the lock of apt or dpkg"


def _held(facts: HostFacts, wanted: Wanted) -> _Found:
    names = (name.partition(":")[0] for name in facts.said.get("held", "").split())
    if held := sorted(wanted.packages.intersection(names)):
        yield "held-packages", f"apt holds {', '.join(held)}, which the node's recipes install"


def _ports(facts: HostFacts, wanted: Wanted) -> _Found:
    services = {("tcp", port): service for service, port in wanted.need.ports.items()}
    if wanted.need.tunnels:
        services["udp", TUNNEL] = "tunnels"
    for name, users in facts.said.items():
        if not name.startswith("listen "):
            continue
        kind, _, place = name.removeprefix("listen ").partition(" ")
        address, _, port = place.rpartition(":")
        service = services.get((kind, int(port) if port.isdigit() else 0))
        if service and address.partition("%")[0] in (*_ANY, wanted.address, f"[{wanted.address}]"):
            holder = re.search(r'"(.*?)",pid=(\d+)', users)
            by = f"{holder[1]} (PID {holder[2]})" if holder else "the kernel"
            yield "port", f"{kind.upper()} port {port}, for {service}, is taken by {by}"


def _address(facts: HostFacts, wanted: Wanted) -> _Found:
    there = facts.said.get("addresses", "").split()
    given = _described(wanted)
    if wanted.address and there and wanted.address not in (*there, *given):
        yield "address", f"no interface has {wanted.address}, only {', '.join(there)}"


def _disks(facts: HostFacts, wanted: Wanted) -> _Found:
    said = facts.said
    if not any(name.startswith("block ") for name in said):
        return  # it does not say which disks it has
    for device in wanted.devices:
        path = said.get(f"alias {device.path}", device.path)
        if device.group and device.group in said.get("volume groups", "").split():
            continue
        if f"block {path}" not in said:
            yield "disk", f"it has no {device.path}, for {device.used}"
            continue
        kind, system, table, mounted = said[f"block {path}"].split("|", 3)
        content = system or ("a file system" if mounted else "")
        if kind == "disk":  # a partition names the table of its disk
            content = content or table
        if content and content != device.keeps:
            where = f", mounted at {mounted}" if mounted else ""
            yield "disk", f"{device.path}, for {device.used}, is not empty ({content}{where})"


def _health(facts: HostFacts, wanted: Wanted) -> _Found:
    for disk in facts.hardware.disks:
        if disk.health not in ("", "PASSED", "OK"):
            yield "disk-health", f"SMART says of {disk.name}: {disk.health}"


def _described(wanted: Wanted) -> set[str]:
    """The addresses that the host will have by `interfaces`."""
    return {str(each.ip) for interface in wanted.interfaces for each in interface.addresses}


def _interface(facts: HostFacts, wanted: Wanted) -> _Found:
    there = facts.said.get("interfaces", "").split()
    name, described = wanted.interface, {each.name: each for each in wanted.interfaces}
    if name and there and name not in (*there, *described):
        shown = ", ".join(name for name in there if name != "lo")
        yield "interface", f"it has no interface {name}, only {shown}"
    mine = described.get(name)
    if mine and (mine.addresses or mine.dhcp4):
        what = f"{name} is for the external network, but `interfaces` gives it addresses"
        yield "interface", what
    has = " and ".join(facts.said.get(f"on {name}", "").split())
    if has and not mine and name not in facts.said.get("bridged", "").split():
        what = f"{name} is for the external network: its address {has} would no longer work"
        yield "interface", what
    for each in wanted.interfaces:
        if name in each.interfaces:
            yield "interface", f"{name} is for the external network, but also part of {each.name}"


def _network(facts: HostFacts, wanted: Wanted) -> _Found:
    """Whether the host can have the described interfaces, and is reached over them, too."""
    if not wanted.interfaces or "interfaces" not in facts.said:
        return
    if "network" not in facts.said:
        yield "network", "neither systemd-networkd nor ifupdown configures its network"
    modules = {InterfaceKind.BOND: "bonding", InterfaceKind.VLAN: "8021q"}
    for each in wanted.interfaces:
        module = modules.get(each.kind)
        if module and f"module {module}" not in facts.said:
            yield "network", f"{each.name}: its kernel has no module {module}"
    cards, wrong = chosen(wanted.interfaces, facts.cards)
    for what in wrong:
        yield "network", what
    for name, card in cards.items():
        if card.name != name and not facts.renames:
            what = f"{name}: {card.name} cannot be called {name}, as udev does not run on it"
            yield "network", what
    changed = {each.name for each in wanted.interfaces} | {card.name for card in cards.values()}
    kept = _described(wanted)
    asks = any(interface.dhcp4 for interface in wanted.interfaces)
    for name in changed:
        its = [address.partition("/")[0] for address in facts.said.get(f"on {name}", "").split()]
        if wanted.ssh in its and wanted.ssh not in kept and not asks:
            what = f"SSH reaches it at {wanted.ssh}, which {name} would not have any more"
            yield "network", what


def _compute(facts: HostFacts, wanted: Wanted) -> _Found:
    if not wanted.need.computes or "interfaces" not in facts.said:
        return
    if "kvm" not in facts.said:
        yield "kvm", "it has no /dev/kvm"
    if "tun" not in facts.said:
        yield "kernel", "it has no /dev/net/tun"
    if "openvswitch" not in facts.said:
        yield "kernel", "its kernel has no module openvswitch"


def _leftover(facts: HostFacts, wanted: Wanted) -> _Found:
    if server := facts.said.get("chef server"):
        name = facts.said.get("chef node") or "another node"
        yield "leftover", f"it is {name} on the Chef server {server}"
    elif found := facts.said.get("compute id"):
        yield "leftover", f"it was a compute node of another cloud (Nova's compute_id is {found})"
    if "db" in wanted.need.ports and (names := facts.said.get("databases")):
        yield "leftover", f"its MariaDB has databases of another cloud: {names}"
    if wanted.need.computes and (names := facts.said.get("domains")):
        yield "leftover", f"its libvirt has virtual machines of its own: {names}"


_CHECKS = (
    _Check(_disk, ("disk-space",)),
    _Check(_clock, ("clock",)),
    _Check(_client, ("release",)),
    _Check(_bundled, ("release",)),
    _Check(_name, ("hostname",)),
    _Check(_systemd, ("systemd",)),
    _Check(_time_service, ("time-service",)),
    _Check(_server, ("chef-server",)),
    _Check(_lock, ("apt-lock",)),
    _Check(_held, ("held-packages",)),
    _Check(_memory, ("memory",), new=True),
    _Check(_supported, ("release",), new=True),
    _Check(_mirrors, ("dns", "mirror"), new=True),
    _Check(_address, ("address",), hosts=True),
    _Check(_lookup, ("hostname-lookup",), hosts=True),
    _Check(_interface, ("interface",), hosts=True),
    _Check(_link, ("link",), hosts=True),
    _Check(_network, ("network",), hosts=True),
    _Check(_compute, ("kvm", "kernel"), hosts=True),
    _Check(_ports, ("port",), new=True, hosts=True),
    _Check(_health, ("disk-health",), hosts=True),
    _Check(_disks, ("disk",), new=True, hosts=True),
    _Check(_firewall, ("firewall",), new=True, hosts=True),
    _Check(_leftover, ("leftover",), new=True, hosts=True),
)
