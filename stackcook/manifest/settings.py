"""The section ``stackcook``: machines, network, stages, failure budgets, Chef server."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, ip_address
from urllib.parse import urlsplit

from stackcook.addresses import IPAddress
from stackcook.errors import Position
from stackcook.manifest import interfaces, sections
from stackcook.manifest.document import List, Map, Scalar, Value
from stackcook.manifest.model import (
    Amount,
    BootstrapKind,
    ChefServer,
    ClientPackage,
    FailureBudget,
    MachineKind,
    Place,
    Policy,
    Timer,
    Tls,
    Verification,
    VirtualAddress,
)
from stackcook.manifest.fields import LOGIN, UPLOAD, FieldReader, Fields, suggest, take
from stackcook.manifest.inventory import Source, read_source
from stackcook.manifest.nodesettings import NodeSettings, read_defaults, read_nodes

PROVIDERS = ("lxc", "libvirt", "virtualbox")
FIREWALLS = ("nodes", "none")

KEYS = (
    "name machines provider network external_network external_interface nodes inventory "
    "node_defaults stages failure_budget bootstrap client chef_server server_address server_port "
    "passwords policy verify firewall os_cloud snapshots_of tls virtual_address"
).split()
TLS_MODES = ("public", "all")
LEAST_INTERVAL = 60
LONGEST_INTERVAL = 30 * 86400
"""In seconds, between two runs of chef-client."""

OS_CLOUD = re.compile(r"[\w.-]{1,64}", re.ASCII)
NAME = re.compile(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?")  # `br-NAME` is an interface: 15 bytes
POLICY_GROUP = re.compile(r"[\w.:-]{1,255}", re.ASCII)
_ROLE = re.compile(r"role\[(.*)\]")
SHA256 = re.compile(r"[0-9A-Fa-f]{64}")


@dataclass(frozen=True)
class Settings:
    """The section ``stackcook``; ``at`` is its position, ``None`` if there is no such section.

    Without it the manifest is one of spiceweasel's, whose nodes are existing hosts. ``passwords``
    is ``None`` where the section doesn't name any. ``node_defaults`` are by role.
    """

    at: Position | None = None
    name: str = "stackcook"
    machines: MachineKind = MachineKind.SSH
    provider: str | None = None
    network: IPv4Network | None = None
    network_at: Position | None = None
    external_network: IPv4Network | None = None
    external_network_at: Position | None = None
    external_interface: str | None = None
    external_interface_at: Position | None = None
    nodes: Mapping[str, NodeSettings] = field(default_factory=dict)
    inventory: Source | None = None
    node_defaults: Mapping[str, NodeSettings] = field(default_factory=dict)
    stages: tuple[tuple[Scalar, ...], ...] = ()
    bootstrap: BootstrapKind = BootstrapKind.NATIVE
    failure_budget: tuple[FailureBudget, ...] = ()
    client: ClientPackage | None = None
    timer: Timer | None = None
    chef_server: ChefServer | None = None
    server_address: IPAddress | None = None
    server_port: int | None = None
    passwords: Mapping[str, tuple[str, ...]] | None = None
    policy: Policy | None = None
    verify: frozenset[Verification] | None = None
    firewall: bool = True
    os_cloud: str | None = None
    snapshots_of: Place | None = None
    tls: Tls | None = None
    virtual_addresses: tuple[VirtualAddress, ...] = ()


def read_settings(reader: FieldReader, section: Scalar, value: Value) -> Settings:
    """Read the section; a wrong value adds a finding, and the default is used."""
    what = "stackcook"
    fields = reader.fields(value, what, KEYS)
    kinds = [kind.value for kind in MachineKind]
    default = MachineKind.VAGRANT if "network" in fields else MachineKind.SSH
    bootstraps = [kind.value for kind in BootstrapKind]
    client, timer = take(fields, "client", partial(_client, reader), what) or (None, None)
    return Settings(
        at=section.at,
        name=take(fields, "name", partial(_name, reader), what) or "stackcook",
        machines=MachineKind(
            take(fields, "machines", partial(_choice, reader, kinds), what) or default
        ),
        provider=take(fields, "provider", partial(_choice, reader, PROVIDERS), what),
        network=take(fields, "network", partial(_network, reader), what),
        network_at=_place(fields, "network"),
        external_network=take(fields, "external_network", partial(_network, reader), what),
        external_network_at=_place(fields, "external_network"),
        external_interface=take(fields, "external_interface", partial(_interface, reader), what),
        external_interface_at=_place(fields, "external_interface"),
        os_cloud=take(fields, "os_cloud", partial(_os_cloud, reader), what),
        nodes=read_nodes(reader, fields),
        inventory=take(fields, "inventory", partial(read_source, reader), what),
        node_defaults=read_defaults(reader, fields),
        stages=tuple(_stages(reader, fields)),
        bootstrap=BootstrapKind(
            take(fields, "bootstrap", partial(_choice, reader, bootstraps), what) or "native"
        ),
        failure_budget=tuple(
            take(fields, "failure_budget", partial(_failure_budget, reader), what) or ()
        ),
        client=client,
        timer=timer,
        chef_server=take(fields, "chef_server", partial(_chef_server, reader), what),
        server_address=_server_address(reader, fields, what),
        server_port=take(fields, "server_port", partial(reader.number, least=1, most=65535), what),
        passwords=take(fields, "passwords", partial(sections.passwords, reader), what),
        policy=take(fields, "policy", partial(_policy, reader), what),
        verify=take(fields, "verify", partial(_verify, reader), what),
        firewall=take(fields, "firewall", partial(_choice, reader, FIREWALLS), what) != "none",
        snapshots_of=take(fields, "snapshots_of", partial(_snapshots_of, reader), what),
        tls=take(fields, "tls", partial(_tls, reader), what),
        virtual_addresses=tuple(
            take(fields, "virtual_address", partial(_virtual_address, reader), what) or ()
        ),
    )


def _place(fields: Fields, key: str) -> Position | None:
    return fields[key][1].at if key in fields else None


def _name(reader: FieldReader, value: Value, what: str) -> str | None:
    name = reader.text(value, what)
    if name and not NAME.fullmatch(name):
        remedy = "use at most 12 of the characters a-z, 0-9 and `-`, and begin with a letter"
        reader.invalid(value, what, remedy)
    return name


def _interface(reader: FieldReader, value: Value, what: str) -> str | None:
    name = reader.text(value, what)
    if name and not interfaces.NAME.fullmatch(name):
        reader.invalid(value, what, "write the name of a network interface, such as eth1")
        return None
    return name


def _os_cloud(reader: FieldReader, value: Value, what: str) -> str | None:
    name = reader.text(value, what)
    if name and not OS_CLOUD.fullmatch(name):
        reader.invalid(value, what, "use at most 64 letters, digits, dots, hyphens and underscores")
        return None
    return name


def _choice(reader: FieldReader, known: Collection[str], value: Value, what: str) -> str | None:
    text = reader.text(value, what)
    if text is None or text in known:
        return text
    reader.invalid(value, what, suggest(text, known))
    return None


def _server_address(reader: FieldReader, fields: Fields, what: str) -> IPAddress | None:
    """The address of the embedded Chef server; nodes cannot connect to 0.0.0.0."""
    if "server_address" not in fields:
        return None
    value, what = fields["server_address"][1], f"{what}: server_address"
    remedy = "write an IP address of this machine that the nodes reach, such as 10.0.112.1"
    address = reader.parsed(value, what, ip_address, remedy)
    if address and (address.is_unspecified or address.is_multicast):
        reader.invalid(value, what, remedy)
        return None
    return address


def _network(reader: FieldReader, value: Value, what: str) -> IPv4Network | None:
    remedy = "write an IPv4 network, such as 10.0.112.0/24"
    interface = reader.parsed(value, what, IPv4Interface, remedy)
    if interface is None or not isinstance(value, Scalar):
        return None
    text, network = value.text.strip(), interface.network
    if "/" not in text or interface.ip != network.network_address:
        remedy = f"write {network}" if "/" in text else "add the prefix length, such as /24"
        reader.error(value.at, f"{what}: {text} is an address, not a network", remedy)
    return network


def _stages(reader: FieldReader, fields: Fields) -> Iterator[tuple[Scalar, ...]]:
    """Each stage's roles, without ``role[]``; adds a finding for a duplicate role."""
    if "stages" not in fields:
        return
    value = fields["stages"][1]
    lines: dict[str, int] = {}
    for entry in value.items if isinstance(value, List) else (value,):
        roles = []
        for role in reader.texts(entry, "stackcook: stages"):
            match = _ROLE.fullmatch(role.text)
            name = match[1] if match else role.text
            if reader.is_first(name, role, "stackcook: stages", lines):
                roles.append(role._replace(text=name))
        if roles:
            yield tuple(roles)


def _chef_server(reader: FieldReader, value: Value, what: str) -> ChefServer | None:
    fields = reader.fields(value, what, ("url", "user", "key", "ca_file"))
    missing = [key for key in ("url", "user", "key") if key not in fields]
    if missing:
        remedy = "set url, user (your name on that server) and key (of that user)"
        reader.error(value.at, f"{what} has no {' and no '.join(missing)}", remedy)
    url = take(fields, "url", partial(_url, reader), what)
    user = take(fields, "user", reader.text, what)
    private = partial(reader.file, needed_by=UPLOAD, private=True)
    key = take(fields, "key", private, what)
    authorities = take(fields, "ca_file", partial(reader.file, needed_by=UPLOAD), what)
    return ChefServer(url, user, key, authorities) if url and user and key else None


def _client(
    reader: FieldReader, value: Value, what: str
) -> tuple[ClientPackage | None, Timer | None]:
    fields = reader.fields(value, what, ("package", "sha256", "ca_file", "interval", "splay"))
    return _package(reader, fields, value, what), _timer(reader, fields, what)


def _timer(reader: FieldReader, fields: Fields, what: str) -> Timer | None:
    duration = partial(reader.duration, most=LONGEST_INTERVAL)
    interval = take(fields, "interval", partial(duration, least=LEAST_INTERVAL), what)
    splay = take(fields, "splay", partial(duration, least=0), what)
    if "interval" in fields:
        at = fields["interval"][1].at
        return Timer(interval, at, Timer.splay if splay is None else splay) if interval else None
    if "splay" in fields:
        at = fields["splay"][1].at
        reader.error(at, f"{what} has a splay but no interval", "add `interval: 30m`")
    return None


def _package(reader: FieldReader, fields: Fields, value: Value, what: str) -> ClientPackage | None:
    sha256 = take(fields, "sha256", partial(_sha256, reader), what)
    authorities = take(fields, "ca_file", partial(reader.file, needed_by=LOGIN), what)
    text = take(fields, "package", reader.text, what) or ""
    if text and not text.endswith(".deb"):
        remedy = "name a Debian package, such as chef_18.10.17-1_amd64.deb"
        reader.invalid(fields["package"][1], f"{what}: package", remedy)
    elif "sha256" in fields and not text:
        remedy = "write the path or the URL of a Debian package"
        reader.error(value.at, f"{what} has a checksum but no package", remedy)
    if "://" not in text:
        read_file = partial(reader.file, needed_by=LOGIN)
        path = take(fields, "package", read_file, what) if text else None
        return ClientPackage(path, "", sha256 or "", authorities)
    remedy = "write it as https://HOST/FILE.deb; apt's auth.conf on the nodes may have a login"
    url = reader.parsed(fields["package"][1], f"{what}: package", _parse_package, remedy)
    if "sha256" not in fields:
        remedy = "add its SHA-256: `sha256sum FILE.deb` prints it"
        reader.error(fields["package"][1].at, f"{what}: the URL has no sha256", remedy)
    return ClientPackage(None, url or "", sha256 or "", authorities)


def _parse_package(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(text)
    return text


def _sha256(reader: FieldReader, value: Value, what: str) -> str | None:
    text = reader.text(value, what)
    if text and not SHA256.fullmatch(text):
        reader.invalid(value, what, "write the 64 digits that `sha256sum FILE.deb` prints")
        return None
    return text and text.lower()


def _policy(reader: FieldReader, value: Value, what: str) -> Policy | None:
    fields = reader.fields(value, what, ("lock", "group"))
    for key, remedy in (("lock", "`lock: Policyfile.lock.json`"), ("group", "`group: lab`")):
        if key not in fields:
            reader.error(value.at, f"{what} has no {key}", f"write {remedy}")
    lock = take(fields, "lock", reader.file, what)
    group = take(fields, "group", reader.text, what)
    if group and not POLICY_GROUP.fullmatch(group):
        remedy = "use letters, digits, `_`, `-`, `.` and `:`"
        reader.invalid(fields["group"][1], f"{what}: group", remedy)
    return Policy(lock, group, value.at) if lock and group and os.path.isfile(lock) else None


def _verify(reader: FieldReader, value: Value, what: str) -> frozenset[Verification] | None:
    """None for an empty list: what depends on the cloud is decided there."""
    known = [each.value for each in Verification]
    names = [_choice(reader, known, text, what) for text in reader.texts(value, what)]
    return frozenset(Verification(name) for name in names if name) or None


def _snapshots_of(reader: FieldReader, value: Value, what: str) -> Place | None:
    fields = reader.fields(value, what, ("name", "network", "external_network"))
    for key in ("name", "network"):
        if key not in fields:
            reader.error(value.at, f"{what} has no {key}", "copy it from the other manifest")
    name = take(fields, "name", partial(_name, reader), what)
    network, external = (
        take(fields, key, partial(_network, reader), what)
        for key in ("network", "external_network")
    )
    return Place(name, network, external) if name and network else None


def _tls(reader: FieldReader, value: Value, what: str) -> Tls | None:
    """``public`` or ``all``, or a mapping that also names the user's own certificate."""
    if isinstance(value, Scalar):
        mode = _choice(reader, TLS_MODES, value, what)
        return Tls(value.at, internal=mode == "all") if mode else None
    fields = reader.fields(value, what, ("mode", "certificate", "key", "ca"))
    if "mode" not in fields:
        reader.error(value.at, f"{what} has no mode", "add `mode: public` or `mode: all`")
    for one, other in (("certificate", "key"), ("key", "certificate"), ("ca", "certificate")):
        if one in fields and other not in fields:
            reader.error(fields[one][1].at, f"{what} has a {one} but no {other}", f"add `{other}:`")
    read_file = partial(reader.file, needed_by=UPLOAD)
    return Tls(
        value.at,
        take(fields, "certificate", read_file, what),
        take(fields, "key", partial(read_file, private=True), what),
        take(fields, "ca", read_file, what),
        take(fields, "mode", partial(_choice, reader, TLS_MODES), what) == "all",
    )


def _virtual_address(reader: FieldReader, value: Value, what: str) -> Iterator[VirtualAddress]:
    """An address, or a mapping of zones to addresses."""
    remedy = "write an IPv4 address, such as 10.0.112.9"
    if not isinstance(value, Map):
        if address := reader.parsed(value, what, IPv4Address, remedy):
            yield VirtualAddress(address, value.at)
        return
    lines: dict[str, int] = {}
    for key, body in reader.mapping(value, what):
        address = reader.parsed(body, f"{what}: {key.text}", IPv4Address, remedy)
        if address and reader.is_first(key.text, key, what, lines):
            yield VirtualAddress(address, body.at, key.text)


def _url(reader: FieldReader, value: Value, what: str) -> str | None:
    remedy = "write it as https://chef.example.com/organizations/NAME"
    return reader.parsed(value, what, _parse_url, remedy)


def _parse_url(text: str) -> str:
    """The URL without a slash at its end; raises ValueError where it isn't one of a Chef server."""
    parts = urlsplit(text)  # raises for half a pair of brackets; `port`, if it isn't a number
    good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    if not good or re.search(r"\s", text):
        raise ValueError(text)
    return text.rstrip("/")


def _failure_budget(reader: FieldReader, value: Value, what: str) -> Iterator[FailureBudget]:
    """Role → a number of nodes, or a percentage of those with that role."""
    lines: dict[str, int] = {}
    remedy = "write a number of nodes, such as 2, or a percentage, such as 20%"
    for key, body in reader.mapping(value, what):
        role = reader.role(key, what)
        amount = reader.parsed(body, f"{what}: {key.text}", Amount.parse, remedy)
        if role and amount and reader.is_first(role, key, what, lines):
            yield FailureBudget(role, amount, key.at)
