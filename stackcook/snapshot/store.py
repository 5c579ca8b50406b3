"""The snapshots of this user: one directory each, which counts once it has a ``snapshot.json``.

    ID/snapshot.json           what it is; written last
    ID/nodes/NODE/rootfs       the root file system of a node's container
    ID/nodes/NODE/config       the container's configuration
    ID/state/                  of .stackcook what the cloud needs: keys, passwords, Chef server

The ID is the name and a time in nanoseconds. If a name is saved again, the older one is deleted as
soon as no container uses it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from stackcook.cache import data
from stackcook.errors import MachineError, UsageError
from stackcook.files import DAMAGE, lock, private_directory, try_lock, write_private
from stackcook.machines.base import STOPPING
from stackcook.machines.box import ORDINARY
from stackcook.machines.factory import DEFAULT_NETWORK
from stackcook.machines.layers import Layers
from stackcook.manifest.model import Manifest

FORMAT = 1
CONTENTS = "snapshot.json"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_UNSUITABLE = re.compile(r"[:,\\|&\s]")
"""Characters that the path of a layer must not have: LXC and the kernel separate paths by them."""

RESTORING = "restoring"
"""The file in .stackcook that is there while machines and state are replaced."""

_LEFT_OUT = ("state.db*", "logs", "lock", "*.lock", "numa", RESTORING, STOPPING, ".gitignore")
"""What of .stackcook is about its directory or this machine, not about the cloud."""

_SERVER_LEFT_OUT = ("pid", "lock", "log", "goiardi.toml", "index", "data.good", "data.keeping")
"""What of the embedded Chef server is made anew when it starts."""


@dataclass(frozen=True)
class SavedNode:
    """A node of a snapshot: its container, the size in bytes, and its Debian packages' versions."""

    container: str
    size: int
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """A snapshot in ``directory``; ``saved`` is in seconds since the epoch.

    ``cloud`` is the name of the saved cloud, ``digest`` has the checksums of the inputs of its last
    deploy and ``deploy`` that one's ID, ``shape`` see :func:`shape_of`, ``port`` the Chef server's.
    """

    directory: Path
    name: str
    cloud: str
    saved: float
    digest: str
    deploy: str
    shape: str
    version: str
    box: str
    port: int
    nodes: Mapping[str, SavedNode]

    @property
    def layers(self) -> Path:
        """The directory of its root file systems, each in a directory with the node's name."""
        return self.directory / "nodes"

    @property
    def size(self) -> int:
        """The size of all nodes in bytes."""
        return sum(node.size for node in self.nodes.values())

    def described(self) -> dict[str, Any]:
        """Everything but its directory, as ``snapshot.json`` has it."""
        return {"format": FORMAT, **{k: v for k, v in asdict(self).items() if k != "directory"}}


@dataclass(frozen=True)
class Unreadable:
    """A directory whose ``snapshot.json`` is damaged, or of another version of stackcook."""

    directory: Path
    error: UsageError

    @property
    def name(self) -> str:
        """The name that it was saved with."""
        return _name(self.directory)

    @property
    def layers(self) -> Path:
        """As :attr:`Snapshot.layers`."""
        return self.directory / "nodes"


@dataclass(frozen=True)
class Start:
    """The snapshot that a deploy begins with.

    ``same``: it was saved after a deploy with the same inputs, so that no node has to converge.
    ``moved``: old → new address of each node, if it is a snapshot of another cloud.
    ``now`` is when that was found out, in seconds since the epoch. ``changed`` names the inputs
    that differ; it is empty if that is not known, as after a converge.
    """

    snapshot: Snapshot
    same: bool
    now: float
    moved: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[str, ...] = ()


def shape_of(manifest: Manifest) -> str:
    """A checksum of what snapshots and machines must have in common, besides packages and files.

    These are names, addresses, networks and how the box is built. Nothing else keeps a deploy from
    beginning with a snapshot, of its own cloud or of the one in ``snapshots_of``.
    """
    shape = {
        "name": manifest.name,
        "network": str(manifest.network or DEFAULT_NETWORK),
        "external_network": str(manifest.external_network),
        "server_port": manifest.server_port,
        "nodes": {node.name: str(node.address) for node in manifest.nodes},
        "box": ORDINARY.key,
    }
    return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()


def original(manifest: Manifest) -> Manifest | None:
    """The manifest with the name, the networks and the addresses of ``snapshots_of``, if set."""
    place, network = manifest.snapshots_of, manifest.network
    if not place or not network:
        return None

    offset = int(place.network.network_address) - int(network.network_address)
    return replace(
        manifest,
        name=place.name,
        network=place.network,
        external_network=place.external_network,
        nodes=tuple(
            replace(node, address=node.address + offset) if node.address else node
            for node in manifest.nodes
        ),
    )


def default_directory() -> Path:
    """``~/.local/share/stackcook/snapshots``, or below ``XDG_DATA_HOME``."""
    return data() / "snapshots"


@dataclass(frozen=True)
class Store:
    """The snapshots in ``directory``."""

    directory: Path
    layers: Layers = Layers()

    def all(self) -> tuple[Snapshot, ...]:
        """All snapshots, the newest first; of those with one name, the one that was added last."""
        usable = [each for each in self._complete() if isinstance(each, Snapshot)]
        found = {snapshot.name: snapshot for snapshot in sorted(usable, key=_added)}
        return tuple(sorted(found.values(), key=lambda each: each.saved, reverse=True))

    def unreadable(self) -> tuple[Unreadable, ...]:
        """What is left out of :meth:`all`; only :meth:`remove` deletes it."""
        return tuple(each for each in self._complete() if isinstance(each, Unreadable))

    def find(self, name: str) -> Snapshot:
        """The snapshot of that name; raises UsageError that lists the known names."""
        found = {snapshot.name: snapshot for snapshot in self.all()}
        if name not in found:
            for damaged in self.unreadable():
                if damaged.name == name:
                    raise damaged.error
            known = f"use one of {', '.join(sorted(found))}" if found else ""
            remedy = known or "run `stackcook snapshot save`"
            raise UsageError(f"there is no snapshot {name}", remedy=remedy)
        return found[name]

    def starts(self, manifest: Manifest, digest: str, now: float) -> tuple[Start, ...]:
        """What a deploy can begin with: its own first; those with the fewest changes; the newest.

        ``digest`` has the checksums of the deploy's inputs, ``now`` is in seconds since the epoch.
        """
        before = original(manifest)
        moved = {
            str(old.address): str(new.address)
            for old, new in zip(before.nodes if before else (), manifest.nodes)
        }
        shape, other = shape_of(manifest), shape_of(before) if before else None

        def start(each: Snapshot, moved: Mapping[str, str]) -> Start:
            same = not moved and each.digest == digest
            return Start(each, same, now, moved, _changed(each.digest, digest))

        there = self.all()
        own = [start(each, {}) for each in there if each.shape == shape]
        others = [start(each, moved) for each in there if each.shape == other]
        return (*sorted(own, key=_distance), *sorted(others, key=_distance))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While this lasts, no other process deletes anything."""
        with lock(self.directory / "lock", shared=True):
            yield

    @contextmanager
    def new(self, name: str) -> Iterator[Path]:
        """The directory for a new snapshot; deleted again unless :meth:`complete` was called.

        Raises UsageError if the name or the path of the store is not suitable.
        """
        if not _NAME.fullmatch(name):
            remedy = "use letters, digits, dots, hyphens and underscores"
            raise UsageError(f"{name!r} cannot be the name of a snapshot", remedy=remedy)
        if _UNSUITABLE.search(str(self.directory)):
            what = "containers cannot use a path with blanks, colons, commas or `|`, `&`, `\\`"
            remedy = "set XDG_DATA_HOME to another directory"
            raise UsageError(what, where=str(self.directory), remedy=remedy)
        self.tidy()
        directory = self.directory / f"{name}.{time.time_ns()}"
        try:
            with self.reading():
                private_directory(directory)
                yield directory
        finally:
            self.tidy()

    def complete(self, snapshot: Snapshot) -> None:
        """Let a new snapshot count, and replace that of the same name."""
        self.layers.sync(snapshot.directory)
        text = json.dumps(snapshot.described(), indent=1, sort_keys=True)
        with explained(snapshot.directory):
            write_private(snapshot.directory / CONTENTS, f"{text}\n")

    def remove(self, name: str) -> None:
        """Delete a snapshot; raises UsageError if there is none, or containers use it."""
        with lock(self.directory / "lock"):
            named = [each for each in self._complete() if each.name == name]
            if not named:
                self.find(name)
            if users := self.users(max(named, key=_added)):
                raise UsageError(
                    f"the snapshot is in use by the machines {', '.join(users)}",
                    where=name,
                    remedy="destroy their clouds first; `stackcook ps` lists them",
                )
            for each in named:
                if not self.users(each):
                    (each.directory / CONTENTS).unlink()  # now it does not count, even if killed
            self._sweep()

    def users(self, snapshot: Snapshot | Unreadable) -> tuple[str, ...]:
        """The containers on its root file systems."""
        inside = f"{snapshot.layers}/"
        return tuple(sorted(name for name, root in self.layers.used().items() if inside in root))

    def tidy(self) -> None:
        """Delete what killed commands have left, and what was replaced and is no longer in use.

        Does nothing while another command uses the store: a later one does it.
        """
        private_directory(self.directory)
        with (self.directory / "lock").open("a") as file:
            if try_lock(file):
                self._sweep()

    def _sweep(self) -> None:
        count = self.all()
        for each in tuple(self._complete()):
            if isinstance(each, Snapshot) and each not in count and not self.users(each):
                (each.directory / CONTENTS).unlink()
        there = (path for path in self.directory.iterdir() if path.is_dir())
        self.layers.delete(*(path for path in there if not (path / CONTENTS).exists()))

    def _complete(self) -> Iterator[Snapshot | Unreadable]:
        for path in sorted(self.directory.glob(f"*/{CONTENTS}")):
            try:
                text = path.read_text(errors="replace")
            except FileNotFoundError:
                continue  # another command has just removed it
            try:
                yield read(path.parent, text, str(path))
            except UsageError as error:
                remedy = f"run `stackcook snapshot remove {_name(path.parent)}`"
                wrong = UsageError(error.what, where=error.where, remedy=remedy)
                yield Unreadable(path.parent, wrong)


def _changed(before: str, now: str) -> tuple[str, ...]:
    """The names of the inputs that differ; empty if there are none, or ``before`` names none."""
    if "  " not in before:
        return ()
    differ = {*before.splitlines()} ^ {*now.splitlines()}
    return tuple(sorted({line.partition("  ")[2] for line in differ}))


def _distance(start: Start) -> float:
    """How much a deploy would have to change, to compare starts."""
    return 0 if start.same else len(start.changed) or math.inf


def _name(directory: Path) -> str:
    return directory.name.rpartition(".")[0]


def _added(snapshot: Snapshot | Unreadable) -> str:
    """When it came to this machine: the end of its ID, which always has 19 digits."""
    return snapshot.directory.name.rpartition(".")[2]


_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "saved": (int, float),
    "port": int,
    "size": int,
    "packages": dict,
}
"""Field → the types that its value may have in JSON, if that is not a text."""


def _checked(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values as they are; raises TypeError if one has another type than its field."""
    for name, value in values.items():
        if not isinstance(value, _KINDS.get(name, str)):
            raise TypeError(f"{name} cannot be {json.dumps(value)}")
    return values


def read(directory: Path, text: str, where: str) -> Snapshot:
    """The snapshot that the text of a ``snapshot.json`` describes; raises UsageError."""
    try:
        found = json.loads(text)
        if found.pop("format") != FORMAT:
            what = f"has another format than {FORMAT}, which this stackcook reads"
            raise UsageError(what, where=where, remedy="save it again with this stackcook")
        saved = found.pop("nodes").items()
        nodes = {name: SavedNode(**_checked(node)) for name, node in saved}
        snapshot = Snapshot(directory, nodes=nodes, **_checked(found))
        time.gmtime(snapshot.saved)  # raises if that is no time
        return snapshot
    except DAMAGE as error:
        what = f"cannot be read ({error})"
        raise UsageError(what, where=where, remedy="remove its directory") from error


def packages(root: Path) -> Mapping[str, str]:
    """Debian package → version, of those installed in a root file system."""
    try:
        text = (root / "var/lib/dpkg/status").read_text(errors="replace")
    except FileNotFoundError:
        return {}
    found: dict[str, str] = {}
    for stanza in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
        if fields.get("Status", "").endswith(" installed"):
            found[fields["Package"]] = fields["Version"]
    return found


def save_state(state: Path, directory: Path) -> None:
    """Copy what the cloud needs of .stackcook (``state``); the Chef server must not run."""
    left_out = shutil.ignore_patterns(*_LEFT_OUT)
    of_server = shutil.ignore_patterns(*_SERVER_LEFT_OUT, "ds-store*", "idx-build*")

    def ignore(path: str, names: list[str]) -> set[str]:
        here = Path(path).relative_to(state).parts
        if not here:
            return left_out(path, names)
        return of_server(path, names) if here == ("chef", "server") else set()

    with explained(directory):
        shutil.copytree(state, directory / "state", ignore=ignore)


def restore_state(directory: Path, state: Path) -> None:
    """Replace what :func:`save_state` has copied."""
    kept = shutil.ignore_patterns(*_LEFT_OUT)
    names = [path.name for path in state.iterdir()]
    with explained(state):
        for name in set(names) - kept(str(state), names):
            path = state / name
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        shutil.copytree(directory / "state", state, dirs_exist_ok=True)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors of copying into MachineError."""
    try:
        yield
    except OSError as error:  # shutil.Error is one, with a list of what it could not copy
        failed = error.args[0] if isinstance(error, shutil.Error) else ()
        why = error.strerror or "; ".join(str(each[-1]) for each in failed) or str(error)
        remedy = "check the free space and the permissions there"
        raise MachineError(
            f"cannot copy files there ({why})", where=str(path), remedy=remedy
        ) from error
