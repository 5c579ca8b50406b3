"""Where each node is, its size, and how to log in: ``nodes`` and ``node_defaults``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from stackcook.addresses import IPAddress, address_or_name
from stackcook.errors import Position, counted
from stackcook.manifest.document import Scalar, Value
from stackcook.manifest.fields import LOGIN, FieldReader, Fields, take
from stackcook.manifest.interfaces import Described, merged, read_interfaces, resolved
from stackcook.ranges import RangeError, expand, is_range

KEYS = "address ssh_address host_key memory cpus user key port interfaces".split()
ROLE_KEYS = KEYS[3:]
"""The keys that a role can have for all of its nodes: not the addresses and the host key."""

_SIZES = ("memory", "cpus")
_OF_HOSTS = ("ssh_address", "host_key", "user", "key", "port", "interfaces")

LEAST_MEMORY = 512  # MiB; what a machine that only runs the Chef client needs
MOST_CPUS = 1024
HOST_KEY = re.compile(r"SHA256:[A-Za-z0-9+/]{43}=?")


@dataclass(frozen=True)
class NodeSettings:
    """The keys of one node; ``None`` for a missing key.

    An address may be a host name. ``at`` is the position of the node's name, ``places`` are those
    of the values that are given, by key.
    """

    at: Position
    address: IPAddress | str | None = None
    ssh_address: IPAddress | str | None = None
    memory: int | None = None
    cpus: int | None = None
    user: str | None = None
    key: Path | None = None
    port: int | None = None
    host_key: str | None = None
    interfaces: tuple[Described, ...] | None = None
    places: Mapping[str, Position] = field(default_factory=dict)

    def over(self, farther: NodeSettings) -> NodeSettings:
        """These settings, and those of ``farther`` for the keys without a value here."""
        missing = [key for key in KEYS if getattr(self, key) is None]
        given = {key: getattr(farther, key) for key in missing}
        if self.interfaces is not None and farther.interfaces is not None:
            given["interfaces"] = merged(self.interfaces, farther.interfaces)
        return replace(self, places={**farther.places, **self.places}, **given)


def read_nodes(reader: FieldReader, fields: Fields) -> Mapping[str, NodeSettings]:
    """Node → its settings; a wrong value adds a finding and counts as missing.

    A node that is in a range and is given by its own name gets the values of both; its own win.
    """
    if "nodes" not in fields:
        return {}
    own: dict[str, NodeSettings] = {}
    ranged: dict[str, tuple[Scalar, NodeSettings]] = {}
    for name, body in reader.mapping(fields["nodes"][1], "stackcook: nodes"):
        what = f"stackcook: nodes: {name.text}"
        try:
            names = expand(name.text)
        except RangeError as error:
            reader.error(name.at, f"stackcook: nodes: {error}", error.remedy)
            continue
        found = zip(names, _settings(reader, name, body, what, len(names)))
        if not is_range(name.text):
            own.update(found)
            continue
        for node, settings in found:
            first, _ = ranged.setdefault(node, (name, settings))
            if first is not name:
                problem = f"{what}: {node} is also in {first.text} on line {first.line}"
                reader.error(name.at, problem, "let only one of the ranges have it")
    nodes = {node: settings for node, (_, settings) in ranged.items()}
    for node, settings in own.items():
        nodes[node] = settings.over(nodes[node]) if node in nodes else settings
    return nodes


def read_defaults(reader: FieldReader, fields: Fields) -> Mapping[str, NodeSettings]:
    """Role → the settings of nodes that have it in their run list."""
    if "node_defaults" not in fields:
        return {}
    found: dict[str, NodeSettings] = {}
    lines: dict[str, int] = {}
    section = "stackcook: node_defaults"
    for key, body in reader.mapping(fields["node_defaults"][1], section):
        role = reader.role(key, section)
        if role and reader.is_first(role, key, section, lines):
            what = f"{section}: {key.text}"
            found[role] = _common(reader, key, reader.fields(body, what, ROLE_KEYS), what)
    return found


def _settings(
    reader: FieldReader, name: Scalar, body: Value, what: str, count: int
) -> Iterator[NodeSettings]:
    """The settings of each of ``count`` nodes; they differ only in their addresses."""
    keys = reader.fields(body, what, KEYS)
    addresses = [
        _addresses(reader, keys, key, what, name.text, count) for key in ("address", "ssh_address")
    ]
    common = replace(
        _common(reader, name, keys, what),
        host_key=take(keys, "host_key", partial(_host_key, reader), what),
    )
    interfaces: Sequence[tuple[Described, ...] | None] = [None] * count
    if common.interfaces is not None:
        interfaces = resolved(reader, common.interfaces, count, name.text)
    for address, ssh_address, theirs in zip(*addresses, interfaces):
        yield replace(common, address=address, ssh_address=ssh_address, interfaces=theirs)


def _common(reader: FieldReader, name: Scalar, keys: Fields, what: str) -> NodeSettings:
    """The settings that all nodes of a range or a role share."""
    return NodeSettings(
        at=name.at,
        memory=take(keys, "memory", partial(reader.memory, least=LEAST_MEMORY), what),
        cpus=take(keys, "cpus", partial(reader.number, least=1, most=MOST_CPUS), what),
        user=take(keys, "user", reader.text, what),
        key=take(keys, "key", partial(reader.file, needed_by=LOGIN, private=True), what),
        port=take(keys, "port", partial(reader.number, least=1, most=65535), what),
        interfaces=take(keys, "interfaces", partial(read_interfaces, reader), what),
        places={key: value.at for key, (_, value) in keys.items()},
    )


def _addresses(
    reader: FieldReader, keys: Fields, key: str, what: str, name: str, count: int
) -> Sequence[IPAddress | str | None]:
    """The addresses of ``count`` nodes, from a range with as many numbers."""
    none = [None] * count
    if key not in keys:
        return none
    value, what = keys[key][1], f"{what}: {key}"
    text = reader.text(value, what)
    if text is None:
        return none
    try:
        texts = expand(text)
    except RangeError as error:
        reader.error(value.at, f"{what}: {error}", error.remedy)
        return none
    if len(texts) != count:
        some = f"{len(texts)} address{'es' * (len(texts) > 1)}"
        problem = f"{what}: {text} stands for {some}, but {name} for {counted(count, 'node')}"
        reader.error(value.at, problem, "use ranges with as many numbers as there are nodes")
        return none
    try:
        return [address_or_name(text) for text in texts]
    except ValueError:
        remedy = "write an IP address, such as 10.0.112.10, or the host's name"
        reader.invalid(value, what, remedy)
        return none


def _host_key(reader: FieldReader, value: Value, what: str) -> str | None:
    text = reader.text(value, what)
    if text is None or HOST_KEY.fullmatch(text):
        return text and text.rstrip("=")
    remedy = "write SHA256:…, as `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on it shows"
    reader.invalid(value, what, remedy)
    return None


def warn_without_effect(
    reader: FieldReader, given: NodeSettings, what: str, *, hosts: bool
) -> None:
    """Add a warning for each key with a value that ``hosts`` or Vagrant's machines don't use."""
    gets = "only machines that Vagrant creates get it" if hosts else "Vagrant sets it"
    for key in _SIZES if hosts else _OF_HOSTS:
        if getattr(given, key) is not None:
            reader.warning(given.places[key], f"{what}: {key} has no effect", f"remove it; {gets}")
