"""The network interfaces of hosts: ``interfaces`` in ``nodes`` and ``node_defaults``.

The sections and keys are netplan's. What a node describes itself replaces the interfaces of the
same name that its range, and then its roles, describe.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network

from stackcook.addresses import IPAddress
from stackcook.errors import Position, counted
from stackcook.manifest.document import List, Scalar, Value
from stackcook.manifest.fields import FieldReader, Fields, suggest, take
from stackcook.manifest.model import Interface, InterfaceKind, Match, Node, Route
from stackcook.ranges import RangeError, expand

NAME = re.compile(r"[A-Za-z][\w.-]{0,14}", re.ASCII)
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.ASCII | re.IGNORECASE)
SPEED = re.compile(r"(\d{1,6}) *([MG]?)", re.IGNORECASE)
MODES = "balance-rr active-backup balance-xor broadcast 802.3ad balance-tlb balance-alb".split()
LACP_RATES = ("slow", "fast")
HASH_POLICIES = "layer2 layer2+3 layer3+4 encap2+3 encap3+4 vlan+srcmac".split()
MATCH_KEYS = "name macaddress speed order".split()
ROUTE_KEYS = "to via metric".split()
LEAST_MTU, MOST_MTU = 576, 65535
LAST_VLAN = 4094
TAKEN = ("lo", "br-int", "br-ex", "br-tun")
"""The names of interfaces that the host, or Open vSwitch, makes."""

_COMMON = "mtu addresses gateway routes dhcp4".split()
KEYS: Mapping[InterfaceKind, Sequence[str]] = {
    InterfaceKind.ETHERNET: ["match", *_COMMON],
    InterfaceKind.BOND: [
        *("interfaces", "mode", "lacp_rate", "transmit_hash_policy"),
        *_COMMON,
    ],
    InterfaceKind.VLAN: ["id", "link", *_COMMON],
    InterfaceKind.BRIDGE: ["interfaces", *_COMMON],
}


_REQUIRED: Mapping[InterfaceKind, Mapping[str, str]] = {
    InterfaceKind.BOND: {"interfaces": "[lan0, lan1]"},
    InterfaceKind.VLAN: {"id": "100", "link": "bond0"},
}
"""The keys without which a kind is nothing, each with an example."""


@dataclass(frozen=True)
class _Addresses:
    """An address for each node, as a range gives them; ``text`` as it is written."""

    text: Scalar
    each: tuple[IPv4Interface | IPv6Interface, ...]


@dataclass(frozen=True)
class Described:
    """An interface as one place of the manifest describes it, before its nodes are known.

    ``what`` names it in findings, ``places`` has the positions of its values by key.
    """

    interface: Interface
    what: str = field(compare=False)
    at: Position = field(compare=False)
    places: Mapping[str, Position] = field(compare=False, hash=False)
    ranges: tuple[_Addresses, ...] = ()

    def place(self, key: str) -> Position:
        """Where the value of ``key`` is, or the interface's name."""
        return self.places.get(key, self.at)


def merged(near: Sequence[Described], far: Sequence[Described]) -> tuple[Described, ...]:
    """The interfaces of both; those of ``near`` replace those with the same name."""
    names = {each.interface.name for each in near}
    return (*(each for each in far if each.interface.name not in names), *near)


def read_interfaces(reader: FieldReader, value: Value, what: str) -> tuple[Described, ...]:
    """The interfaces of a node, a range or a role. A wrong value adds a finding and is left out."""
    found: list[Described] = []
    lines: dict[str, int] = {}
    sections = reader.fields(value, what, [kind.value for kind in InterfaceKind])
    for kind in InterfaceKind:
        if kind.value not in sections:
            continue
        section = f"{what}: {kind.value}"
        for name, body in reader.mapping(sections[kind.value][1], section):
            described = _read(reader, name, kind, body, f"{section}: {name.text}")
            if _is_good_name(reader, name, section, lines):
                found.append(described)
    return tuple(found)


def _is_good_name(reader: FieldReader, name: Scalar, section: str, lines: dict[str, int]) -> bool:
    text = name.text
    if not NAME.fullmatch(text):
        remedy = "use at most 15 letters, digits, `_`, `-` and `.`, and begin with a letter"
        reader.error(name.at, f'{section}: invalid name "{text}"', remedy)
        return False
    if text in TAKEN:
        who = "the host" if text == "lo" else "Open vSwitch"
        reader.error(name.at, f"{section}: {text} belongs to {who}", "use another name")
        return False
    if text in lines:
        what = f"{section}: duplicate interface {text}, first on line {lines[text]}"
        reader.error(name.at, what, "give each interface its own name")
        return False
    lines[text] = name.at.line
    return True


def _read(
    reader: FieldReader, name: Scalar, kind: InterfaceKind, body: Value, what: str
) -> Described:
    fields = reader.fields(body, what, KEYS[kind])
    interfaces = take(fields, "interfaces", partial(reader.texts, example="INTERFACE"), what)
    interface = Interface(
        name.text,
        kind,
        match=take(fields, "match", partial(_match, reader), what),
        interfaces=tuple(dict.fromkeys(member.text for member in interfaces or ())),
        mode=_choice(reader, fields, "mode", MODES, what),
        lacp_rate=_choice(reader, fields, "lacp_rate", LACP_RATES, what),
        transmit_hash_policy=_choice(reader, fields, "transmit_hash_policy", HASH_POLICIES, what),
        id=take(fields, "id", partial(reader.number, least=1, most=LAST_VLAN), what),
        link=take(fields, "link", reader.text, what),
        mtu=take(fields, "mtu", partial(reader.number, least=LEAST_MTU, most=MOST_MTU), what),
        gateway=_address(reader, fields, "gateway", what),
        routes=tuple(_routes(reader, fields, what)),
        dhcp4=take(fields, "dhcp4", reader.boolean, what) or False,
    )
    ranges = tuple(_addresses(reader, fields, what))
    places = {key: value.at for key, (_, value) in fields.items()}
    found = Described(interface, what, name.at, places, ranges)
    for key, example in _REQUIRED.get(kind, {}).items():
        if key not in fields:
            reader.error(name.at, f"{what} has no {key}", f"write `{key}: {example}`")
    mode = interface.mode or ("active-backup" if "mode" not in fields else "802.3ad")
    if interface.lacp_rate and mode != "802.3ad":
        problem = f"{what}: lacp_rate has no effect in the mode {mode}"
        reader.error(found.place("lacp_rate"), problem, "remove it, or use the mode 802.3ad")
    _check_gateway(reader, found)
    return found


def _check_gateway(reader: FieldReader, found: Described) -> None:
    """Add a finding for a gateway that none of the interface's networks has."""
    gateway, ranges = found.interface.gateway, found.ranges
    if gateway is None or gateway.is_link_local or found.interface.dhcp4:
        return
    if not any(gateway in each.network for range_ in ranges for each in range_.each):
        what = f"{found.what}: gateway: {gateway} is in no network of its addresses"
        reader.error(found.place("gateway"), what, "use the address of a router in this network")


def _choice(
    reader: FieldReader, fields: Fields, key: str, known: Collection[str], what: str
) -> str | None:
    if key not in fields:
        return None
    value = fields[key][1]
    text = reader.text(value, f"{what}: {key}")
    if text is None or text in known:
        return text
    reader.invalid(value, f"{what}: {key}", suggest(text, known))
    return None


def _match(reader: FieldReader, value: Value, what: str) -> Match:
    fields = reader.fields(value, what, MATCH_KEYS)
    macaddress = None
    if "macaddress" in fields:
        given, where = fields["macaddress"][1], f"{what}: macaddress"
        macaddress = reader.text(given, where)
        if macaddress and not MAC.fullmatch(macaddress):
            reader.invalid(given, where, "write it like 52:54:00:12:34:56")
            macaddress = None
    return Match(
        take(fields, "name", reader.text, what) or "",
        (macaddress or "").lower(),
        take(fields, "speed", partial(_speed, reader), what),
        take(fields, "order", partial(reader.number, least=1, most=64), what),
    )


def _speed(reader: FieldReader, value: Value, what: str) -> int | None:
    text = reader.text(value, what)
    found = SPEED.fullmatch(text or "")
    if found:
        return int(found[1]) * (1000 if found[2] in ("g", "G") else 1)
    if text:
        reader.invalid(value, what, "write Mbit/s, such as 1000, or use a unit: 10G")
    return None


def _address(reader: FieldReader, fields: Fields, key: str, what: str) -> IPAddress | None:
    if key not in fields:
        return None
    remedy = "write an IP address, such as 10.0.112.1"
    return reader.parsed(fields[key][1], f"{what}: {key}", ip_address, remedy)


def _routes(reader: FieldReader, fields: Fields, what: str) -> Iterator[Route]:
    if "routes" not in fields:
        return
    what, value = f"{what}: routes", fields["routes"][1]
    if not isinstance(value, List):
        reader.error(value.at, f"{what} is not a list", "write `- {to: NETWORK, via: ROUTER}`")
        return
    for item in value.items:
        route = reader.fields(item, what, ROUTE_KEYS)
        for key in ("to", "via"):
            if key not in route:
                reader.error(item.at, f"{what}: a route has no {key}", f"write its `{key}`")
        to = take(route, "to", partial(_network, reader), what)
        via = _address(reader, route, "via", what)
        metric = take(route, "metric", partial(reader.number, least=1, most=2**31 - 1), what)
        if to and via:
            yield Route(to, via, metric)


def _network(reader: FieldReader, value: Value, what: str) -> str | None:
    def parse(text: str) -> str:
        return text if text == "default" else str(ip_network(text))

    return reader.parsed(value, what, parse, "write a network, such as 10.2.0.0/16, or `default`")


def _addresses(reader: FieldReader, fields: Fields, what: str) -> Iterator[_Addresses]:
    """The addresses of an interface, each with its prefix; each may be a range over the nodes."""
    if "addresses" not in fields:
        return
    what = f"{what}: addresses"
    for text in reader.texts(fields["addresses"][1], what, example="ADDRESS/PREFIX"):
        try:
            each = tuple(_with_prefix(word) for word in expand(text.text))
        except RangeError as error:
            reader.error(text.at, f"{what}: {error}", error.remedy)
        except ValueError:
            remedy = "write an address with its prefix, such as 10.1.0.11/24"
            reader.invalid(text, what, remedy)
        else:
            yield _Addresses(text, each)


def _with_prefix(text: str) -> IPv4Interface | IPv6Interface:
    """Raises ValueError for an address without a prefix, and for that of a whole network."""
    found = ip_interface(text)
    network = found.network
    if (
        "/" not in text
        or network.num_addresses > 2
        and found.ip
        in (
            network.network_address,
            *([network.broadcast_address] if found.version == 4 else ()),
        )
    ):
        raise ValueError(text)
    return found


def resolved(
    reader: FieldReader, every: Iterable[Described], count: int, who: str
) -> tuple[tuple[Described, ...], ...]:
    """The interfaces of each of ``count`` nodes: each gets its address out of every range.

    ``who`` are the nodes in a finding about a range with another number of addresses.
    """
    described = []
    for each in every:
        for range_ in each.ranges:
            if len(range_.each) != count:
                some = f"{len(range_.each)} address{'es' * (len(range_.each) > 1)}"
                what = f"{each.what}: addresses: {range_.text.text} stands for {some}"
                remedy = "use ranges with as many numbers as there are nodes"
                reader.error(
                    range_.text.at, f"{what}, but {who} for {counted(count, 'node')}", remedy
                )
        good = tuple(range_ for range_ in each.ranges if len(range_.each) == count)
        described.append(replace(each, ranges=good))
    return tuple(tuple(_numbered(each, number) for each in described) for number in range(count))


def _numbered(described: Described, number: int) -> Described:
    addresses = tuple(range_.each[number] for range_ in described.ranges)
    return replace(
        described, interface=replace(described.interface, addresses=addresses), ranges=()
    )


def with_interfaces(
    reader: FieldReader,
    nodes: Sequence[Node],
    own: Mapping[str, Sequence[Described]],
    defaults: Mapping[str, Sequence[Described]],
) -> tuple[Node, ...]:
    """The nodes with their ``own`` interfaces, and those of their roles (``defaults``).

    A range in a role's addresses has one for each node with this role, in the nodes' order.
    """
    if not any(own.values()) and not any(defaults.values()):
        return tuple(nodes)
    holders: dict[str, list[str]] = {role: [] for role in defaults}
    for node in nodes:
        for role in dict.fromkeys(node.roles):
            if role in holders:
                holders[role].append(node.name)
    given: dict[str, list[Described]] = {}
    for role, names in holders.items():
        every = resolved(reader, defaults[role], len(names), f"role[{role}]") if names else ()
        for name, interfaces in zip(names, every):
            given.setdefault(name, []).extend(interfaces)
    checker, found = _Checker(reader), []
    for node in nodes:
        mine, roles = own.get(node.name, ()), given.get(node.name, ())
        checker.check_roles(node.name, roles, mine)
        described = merged(mine, roles)
        found.append(replace(node, interfaces=checker.ordered(node.name, described)))
    return tuple(found)


class _Checker:
    """Adds findings about interfaces that do not fit together; one for all nodes of a kind."""

    def __init__(self, reader: FieldReader) -> None:
        self._reader = reader
        self._seen: set[tuple[Position, str]] = set()
        self._users: dict[IPAddress, str] = {}

    def _error(self, at: Position, what: str, remedy: str) -> None:
        if (at, what) not in self._seen:
            self._seen.add((at, what))
            self._reader.error(at, what, remedy)

    def check_roles(self, node: str, roles: Sequence[Described], own: Sequence[Described]) -> None:
        """Add a finding if two roles of a node describe one interface in different ways."""
        names = {each.interface.name for each in own}
        first: dict[str, Described] = {}
        for each in roles:
            other = first.setdefault(each.interface.name, each)
            if other.interface != each.interface and each.interface.name not in names:
                what = f"{each.what}: line {other.at.line} describes it differently"
                self._error(each.at, what, f"describe it in `stackcook: nodes: {node}`")

    def ordered(self, node: str, described: Sequence[Described]) -> tuple[Interface, ...]:
        """The interfaces, each after those that it is made of; fewer if something is wrong."""
        left = {each.interface.name: each for each in described}
        self._references(left)
        self._addresses(node, left.values())
        done: dict[str, Interface] = {}
        while ready := [
            each
            for each in left.values()
            if all(name in done or name not in left for name in each.interface.below)
        ]:
            for each in ready:
                done[each.interface.name] = left.pop(each.interface.name).interface
        for each in left.values():
            self._error(each.at, f"{each.what} is made of itself", "correct what it is made of")
        return tuple(done.values())

    def _references(self, every: Mapping[str, Described]) -> None:
        users: dict[str, Described] = {}
        tags: dict[tuple[str, int], str] = {}
        for each in every.values():
            interface = each.interface
            key = "link" if interface.link else "interfaces"
            for name in interface.below:
                if name not in every:
                    what = f'{each.what}: {key}: unknown interface "{name}"'
                    remedy = suggest(name, every)
                    if not remedy.startswith("did you mean"):
                        remedy = "describe it in `ethernets`"
                    self._error(each.place(key), what, remedy)
            for name in interface.interfaces:
                other = users.setdefault(name, each)
                if other is not each:
                    what = f"{each.what}: {name} is already in {other.interface.name}"
                    self._error(each.place(key), what, "an interface is in one bond or bridge")
                elif member := every.get(name):
                    self._member(member, each)
            if interface.link and interface.id:
                first = tags.setdefault((interface.link, interface.id), interface.name)
                if first != interface.name:
                    what = f"{each.what}: {first} is VLAN {interface.id} of {interface.link}, too"
                    self._error(each.place("id"), what, "use another id")
            below = every.get(interface.link or "")
            if below and (interface.mtu or 0) > (below.interface.mtu or 1500):
                what = f"{each.what}: mtu: {interface.mtu} is more than that of {interface.link}"
                self._error(each.place("mtu"), what, f"set the mtu of {interface.link}, too")

    def _member(self, member: Described, master: Described) -> None:
        """Add a finding for what only the bond or bridge can have, and not a member of it."""
        for key in ("addresses", "gateway", "routes", "dhcp4"):
            if getattr(member.interface, key):
                what = f"{member.what}: {key}: it is part of {master.interface.name}"
                remedy = f"move `{key}` to {master.interface.name}"
                self._error(member.place(key), what, remedy)

    def _addresses(self, node: str, every: Iterable[Described]) -> None:
        gateways: dict[int, Described] = {}
        for each in every:
            interface = each.interface
            for address in interface.addresses:
                user = self._users.setdefault(address.ip, node)
                what = f"{each.what}: addresses: {address.ip} of node {node} is already used"
                if user != node:
                    self._error(
                        each.place("addresses"),
                        f"{what} by node {user}",
                        "give each node its own addresses",
                    )
            if interface.gateway:
                first = gateways.setdefault(interface.gateway.version, each)
                if first is not each:
                    what = f"{each.what}: gateway: {first.interface.name} has one, too"
                    remedy = "keep one, or use `routes` with different metrics"
                    self._error(each.place("gateway"), what, remedy)
