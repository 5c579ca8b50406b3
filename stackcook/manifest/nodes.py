"""The sections ``nodes``, ``clusters`` and ``options``: which machine gets which run list."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

from stackcook.errors import Position
from stackcook.manifest import options
from stackcook.manifest.document import Scalar, Value
from stackcook.manifest.model import MachineKind, Node
from stackcook.manifest.options import Options
from stackcook.manifest.settings import Seat, Settings
from stackcook.manifest.shapes import Shapes, suggest

DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")

_KEYS = "run_list options name timeout additional_commands allow_create_failure".split()
_NO_EFFECT = "timeout additional_commands allow_create_failure".split()
_PROVIDERS = (
    "bluebox clodo cs digital_ocean ec2 gandi google hp joyent kvm linode lxc openstack "
    "rackspace vagrant vcair vsphere"
).split()
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII | re.IGNORECASE)
_RECIPE = r"[\w.-]+(::[\w.-]+)?(@\d+(\.\d+){1,2})?"
_RUN_LIST_ENTRY = re.compile(rf"role\[[\w:.-]+\]|recipe\[{_RECIPE}\]|(?P<bare>{_RECIPE})", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """One machine as ``nodes`` or ``clusters`` lists it."""

    name: str
    host: str
    at: Position
    run_list: tuple[str, ...]
    options: Options
    cluster: str | None = None


def entries(shapes: Shapes, value: Value) -> Iterator[Entry]:
    """The machines of ``nodes``."""
    yield from _entries(shapes, value, "nodes", None)


def clusters(shapes: Shapes, value: Value) -> Iterator[Entry]:
    """The machines of ``clusters``: environment → list as in ``nodes``."""
    for name, body in shapes.entries(value, "clusters"):
        yield from _entries(shapes, body, f"clusters: {name.text}", name.text)


def read_options(shapes: Shapes, value: Value, what: str) -> Options:
    """Options of ``knife bootstrap``; those without effect are noted."""
    found = options.parse(shapes.words(value, what))
    if found.broken:
        shapes.error(value.at, f"{what}: {found.broken}", "write them as for knife bootstrap")
    for flag in found.unused:
        remedy = "known: -E ENVIRONMENT, -x USER, -i KEY, -p PORT, -N NAME"
        shapes.warning(value.at, f"{what}: {flag} has no effect", remedy)
    return found


def _entries(shapes: Shapes, value: Value, section: str, cluster: str | None) -> Iterator[Entry]:
    for key, body in shapes.entries(value, section):
        what = f"{section}: {key.text}"
        fields = shapes.fields(body, what, _KEYS)
        for unused in _NO_EFFECT:
            if unused in fields:
                shapes.warning(fields[unused][0].at, f"{what}: {unused} has no effect", "remove it")
        nothing = (key, Scalar("", key.at, null=True))
        run_list = tuple(_run_list(shapes, fields.get("run_list", nothing)[1], what))
        own = read_options(shapes, fields.get("options", nothing)[1], f"{what}: options")
        name = shapes.text(fields["name"][1], f"{what}: name") if "name" in fields else own.name
        for number, host in enumerate(_hosts(shapes, key, section), start=1):
            given = (name or host).replace("{{n}}", f"{number:02}")
            yield Entry(given, host, key.at, run_list, own, cluster)


def _hosts(shapes: Shapes, key: Scalar, section: str) -> list[str]:
    """The machines that one key names: several names, not a provider and a count."""
    words = key.text.split()
    if len(words) == 2 and words[0] in _PROVIDERS and words[1].isdigit():
        remedy = "list machines that are there already, or `machines: vagrant`"
        shapes.error(key.at, f"{section}: making machines by {words[0]} isn't supported", remedy)
        return []
    if words and words[0] in ("windows_ssh", "windows_winrm", "windows"):
        shapes.error(key.at, f"{section}: Windows isn't supported", "remove these nodes")
        return []
    return words


def _run_list(shapes: Shapes, value: Value, what: str) -> Iterator[str]:
    """The entries of a run list, each as ``role[NAME]`` or ``recipe[NAME]``."""
    for text in shapes.texts(value, f"{what}: run_list"):
        for entry in text.text.replace(",", " ").split():
            match = _RUN_LIST_ENTRY.fullmatch(entry)
            if not match:
                remedy = "write role[NAME] or recipe[COOKBOOK::RECIPE]"
                shapes.error(text.at, f'{what}: run_list has "{entry}"', remedy)
            else:
                yield f"recipe[{entry}]" if match["bare"] else entry


def build(
    shapes: Shapes, listed: Iterable[Entry], common: Options, settings: Settings
) -> tuple[Node, ...]:
    """The nodes: what the sections list, with what ``stackcook: nodes`` and ``options`` add.

    A node's own options count before its cluster's environment, and both before ``options``.
    """
    lines: dict[str, int] = {}
    nodes = []
    for entry in listed:
        if entry.name in lines:
            what = f"two nodes are called {entry.name}, the first in line {lines[entry.name]}"
            shapes.error(entry.at, what, "give each its own name")
            continue
        lines[entry.name] = entry.at.line
        if not _HOSTNAME.fullmatch(entry.name):
            remedy = "use letters, digits and `-` (63 between dots)"
            shapes.error(entry.at, f'node "{entry.name}" is no host name', remedy)
        nodes.append(_node(shapes, entry, common, settings))
    for name, seat in settings.seats.items():
        if name not in lines:
            remedy = suggest(name, lines)
            shapes.error(seat.at, f'stackcook: nodes: there is no node "{name}"', remedy)
    return tuple(nodes)


def _node(shapes: Shapes, entry: Entry, common: Options, settings: Settings) -> Node:
    seat = settings.seats.get(entry.name, Seat(entry.at))
    wanted = entry.options.over(Options(environment=entry.cluster)).over(common)
    node = Node(
        name=entry.name,
        at=entry.at,
        run_list=entry.run_list,
        environment=wanted.environment or "_default",
        address=seat.address or _literal(entry.host),
        memory=seat.memory or Node.memory,
        cpus=seat.cpus or Node.cpus,
    )
    if node.address is None and settings.at and not seat.address_at:
        remedy = f"give its address in stackcook: nodes: {node.name}"
        shapes.error(seat.at, f"node {node.name} has no address", remedy)
    if settings.machines is MachineKind.SSH:
        return replace(
            node,
            user=seat.user or wanted.user or "root",
            key=seat.key or _key(shapes, entry, wanted.key),
            port=seat.port or wanted.port or Node.port,
        )
    for name in ("user", "key", "port"):
        if getattr(seat, name) is not None:
            what = f"stackcook: nodes: {node.name}: {name} has no effect"
            shapes.warning(seat.at, what, "Vagrant's machines bring theirs; remove it")
    return node


def _literal(host: str) -> IPv4Address | None:
    """The address of a node that is listed by its address."""
    try:
        return IPv4Address(host)
    except AddressValueError:
        return None


def _key(shapes: Shapes, entry: Entry, wanted: str | None) -> Path | None:
    """The SSH key of the options, else the user's own."""
    if wanted:
        return shapes.file(Scalar(wanted, entry.at), f"node {entry.name}: key")
    own = (Path(os.path.expanduser("~/.ssh"), name) for name in DEFAULT_KEYS)
    return next((key for key in own if key.is_file()), None)
