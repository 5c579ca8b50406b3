"""The section ``stackcook: nodes``: where each node is, its size, and how to log in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from stackcook.addresses import IPAddress, address_or_name
from stackcook.errors import Position
from stackcook.manifest.document import Value
from stackcook.manifest.fields import LOGIN, FieldReader, Fields, take

KEYS = "address ssh_address memory cpus user key port".split()
SIZES = ("memory", "cpus")
"""The keys that are for machines that Vagrant creates."""

LOGINS = ("ssh_address", "user", "key", "port")
"""The keys that are for hosts that exist already."""

LEAST_MEMORY = 512  # MiB; what a machine that only runs the Chef client needs
MOST_CPUS = 1024


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
    places: Mapping[str, Position] = field(default_factory=dict)


def read_nodes(reader: FieldReader, fields: Fields) -> Mapping[str, NodeSettings]:
    """Node → its settings; a wrong value adds a finding and counts as missing."""
    if "nodes" not in fields:
        return {}
    found = {}
    for name, body in reader.mapping(fields["nodes"][1], "stackcook: nodes"):
        what = f"stackcook: nodes: {name.text}"
        found[name.text] = _settings(reader, name.at, body, what)
    return found


def _settings(reader: FieldReader, at: Position, body: Value, what: str) -> NodeSettings:
    keys = reader.fields(body, what, KEYS)
    return NodeSettings(
        at=at,
        address=_address(reader, keys, "address", what),
        ssh_address=_address(reader, keys, "ssh_address", what),
        memory=take(keys, "memory", partial(reader.memory, least=LEAST_MEMORY), what),
        cpus=take(keys, "cpus", partial(reader.number, least=1, most=MOST_CPUS), what),
        user=take(keys, "user", reader.text, what),
        key=take(keys, "key", partial(reader.file, needed_by=LOGIN, private=True), what),
        port=take(keys, "port", partial(reader.number, least=1, most=65535), what),
        places={key: value.at for key, (_, value) in keys.items()},
    )


def _address(reader: FieldReader, keys: Fields, key: str, what: str) -> IPAddress | str | None:
    if key not in keys:
        return None
    remedy = "write an IP address, such as 10.0.112.10, or the host's name"
    return reader.parsed(keys[key][1], f"{what}: {key}", address_or_name, remedy)


def warn_without_effect(
    reader: FieldReader, given: NodeSettings, what: str, keys: tuple[str, ...], remedy: str
) -> None:
    """Add a warning for each of ``keys`` that has a value."""
    for key in keys:
        if getattr(given, key) is not None:
            reader.warning(given.places[key], f"{what}: {key} has no effect", remedy)
