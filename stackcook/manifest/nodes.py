"""The nodes: what the sections list, with what ``stackcook: nodes`` and ``options`` add."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

from stackcook.errors import Position
from stackcook.manifest.document import Scalar
from stackcook.manifest.entries import Common, Entry, note_broken, note_unknown
from stackcook.manifest.model import Group, MachineKind, Node
from stackcook.manifest.options import Options
from stackcook.manifest.settings import Seat, Settings
from stackcook.manifest.shapes import Shapes, suggest

DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
NUMBER = "{{n}}"
"""What stands for a machine's number in the names and options of an entry."""

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOSTNAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII | re.IGNORECASE)
NODE_NAME = re.compile(r"\w[\w.:-]*", re.ASCII)
_NO_HOST = re.compile(r"\.\.|[^.]{64}")  # looking it up would not even begin
_LITERAL = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)


def build(
    shapes: Shapes, listed: Iterable[Entry], common: Common, settings: Settings
) -> tuple[Node, ...]:
    """The nodes of all entries.

    What is nearest to a node counts: ``stackcook: nodes``, its own options, its cluster, then the
    section ``options``.
    """
    builder = _Builder(shapes, common, settings)
    nodes = [node for entry in listed for node in builder.nodes(entry)]
    if common.at and any(node.provider is None for node in nodes):
        note_broken(shapes, common.at, "options", common.options.faulty)
        note_unknown(shapes, common.at, "options", common.options)
    for name, seat in settings.seats.items():
        if name not in builder.lines:
            remedy = suggest(name, builder.lines) if builder.lines else "list it under `nodes`"
            shapes.error(seat.at, f'stackcook: nodes: there is no node "{name}"', remedy)
    return tuple(nodes)


def names(group: Group, given: str | None, before: int) -> Iterator[tuple[str, str, str]]:
    """Name, host and number of each machine of an entry, as spiceweasel numbers them.

    A cloud's numbers have one digit more than their count, those of listed hosts have no zeros.
    ``before`` is how many machines without a name that cloud has in the entries before.
    """
    if group.count:
        digits = len(str(group.count)) + 1
        for number in range(1, group.count + 1):
            shown = f"{number:0{digits}}"
            unnamed = f"{group.provider}-{before + number:0{digits}}"
            yield given.replace(NUMBER, shown) if given else unnamed, "", shown
    else:
        for number, host in enumerate(group.hosts, start=1):
            shown = str(number)
            host = host.replace(NUMBER, shown)
            yield given.replace(NUMBER, shown) if given else host, host, shown


class _Builder:
    """Makes the nodes of one manifest; keeps what is looked up once for all of them."""

    def __init__(self, shapes: Shapes, common: Common, settings: Settings) -> None:
        self.shapes = shapes
        self.common = common
        self.settings = settings
        self.lines: dict[str, int] = {}  # of each name the line
        self._unnamed: Counter[str | None] = Counter()
        self._keys: dict[tuple[str, Position], Path | None] = {}

    def nodes(self, entry: Entry) -> Iterator[Node]:
        group = entry.group
        wanted = entry.options.over(Options(environment=group.cluster)).over(self.common.options)
        self._check_policy(entry, wanted)
        own = entry.options.environment
        cluster = f"-E {group.cluster}" if group.cluster and not own else ""
        text = " ".join(filter(None, (group.options, cluster, self.common.text)))
        given = group.name or entry.options.name or self.common.options.name
        before = self._unnamed[group.provider]
        if not given:
            self._unnamed[group.provider] += group.count
        for name, host, number in names(group, given, before):
            if name not in self.lines:
                self.lines[name] = group.at.line
                self._check_name(group, name, host)
                yield self._node(entry, wanted, name, host, text.replace(NUMBER, number))
                continue
            what = f"two nodes are called {name}, the first in line {self.lines[name]}"
            if given and NUMBER not in given:  # so are all the others of this entry
                remedy = f"put {NUMBER}, their number, into the name"
                self.shapes.error(group.at, what, remedy)
                return
            self.shapes.error(group.at, what, "give each its own name")

    def _check_policy(self, entry: Entry, wanted: Options) -> None:
        """Note half a policy, and one beside what it takes the place of."""
        at = entry.options_at
        if bool(wanted.policy_name) != bool(wanted.policy_group):
            other = "--policy-group" if wanted.policy_name else "--policy-name"
            self.shapes.error(at, f"a policy without {other}", f"add {other} to the options")
        if wanted.policy_name and (entry.run_list or wanted.environment):
            what = "a policy takes the place of run list and environment"
            self.shapes.error(at, what, "leave them out, or the policy")

    def _check_name(self, group: Group, name: str, host: str) -> None:
        """Note a name, or a host, that is none."""
        vagrant = not group.provider and self.settings.machines is MachineKind.VAGRANT
        if vagrant and not HOSTNAME.fullmatch(name):
            remedy = "use letters, digits and `-` (63 between dots)"
            self.shapes.error(group.at, f'node "{name}" is no host name', remedy)
        for word in dict.fromkeys((name, host or name)):
            if not vagrant and not NODE_NAME.fullmatch(word):
                remedy = "use letters, digits, `_`, `-`, `.` and `:`, the first none of `-.:`"
                if "@" in word:
                    remedy = "give the user as `-x USER` in its options"
                self.shapes.error(group.at, f'"{word}" is no name of a node or host', remedy)
        if not vagrant and _NO_HOST.search(host):
            remedy = "between its dots are 1 to 63 characters"
            self.shapes.error(group.at, f'"{host}" is no name of a host', remedy)

    def _node(self, entry: Entry, wanted: Options, name: str, host: str, text: str) -> Node:
        seat = self.settings.seats.get(name) or Seat(entry.group.at)
        provider = entry.group.provider
        user, key, port = seat.user or wanted.user, seat.key, seat.port or wanted.port
        if provider:
            key = key or self._path(wanted.key)
        elif self.settings.machines is MachineKind.SSH:
            user, key = user or "root", key or self._key(entry)
        else:
            user = key = port = None  # Vagrant's machines bring theirs
        node = Node(
            name=name,
            at=entry.group.at,
            run_list=entry.run_list,
            environment=wanted.environment or Node.environment,
            address=seat.address or _literal(host),
            memory=seat.memory or Node.memory,
            cpus=seat.cpus or Node.cpus,
            user=user,
            key=key,
            port=port or Node.port,
            host=host,
            options=text,
            provider=provider,
            policy_name=wanted.policy_name,
            policy_group=wanted.policy_group,
            timeout=entry.group.timeout,
        )
        if not provider and self.settings.machines is MachineKind.VAGRANT:
            self._check_vagrant(node, seat)
        return node

    def _check_vagrant(self, node: Node, seat: Seat) -> None:
        if node.address is None and not seat.address_at:
            remedy = f"give its address in stackcook: nodes: {node.name}"
            self.shapes.error(seat.at, f"node {node.name} has no address", remedy)
        for name in ("user", "key", "port"):
            if getattr(seat, name) is not None:
                what = f"stackcook: nodes: {node.name}: {name} has no effect"
                remedy = "Vagrant's machines bring theirs; remove it"
                self.shapes.warning(seat.at, what, remedy)

    def _key(self, entry: Entry) -> Path | None:
        """The SSH key of the options, else the user's own; the same file is looked at once."""
        text, at, what = entry.options.key, entry.options_at, f"node {entry.group.hosts[0]}: "
        if not text and self.common.at:
            text, at, what = self.common.options.key, self.common.at, "options: "
        place = (text or "", at)
        if place not in self._keys:
            found = self.shapes.file(Scalar(text, at), f"{what}key") if text else _own_key()
            self._keys[place] = found
        return self._keys[place]

    def _path(self, text: str | None) -> Path | None:
        """A file that only knife reads."""
        return self.shapes.path.parent / os.path.expanduser(text) if text else None


def _own_key() -> Path | None:
    own = (Path(os.path.expanduser("~/.ssh"), name) for name in DEFAULT_KEYS)
    return next((key for key in own if os.path.isfile(key)), None)


def _literal(host: str) -> IPv4Address | None:
    """The address of a node that is listed by its address."""
    if not _LITERAL.fullmatch(host):
        return None
    try:
        return IPv4Address(host)
    except AddressValueError:
        return None
