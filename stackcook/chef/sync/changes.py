"""Changes to a Chef server as values, and a safe order in which to make them.

The order makes sure that no node sees an incomplete upload.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import zip_longest
from typing import Any, TypeVar
from urllib.parse import quote

from stackcook.chef.objects.cookbook import Cookbook
from stackcook.chef.objects.runlist import RunListItem
from stackcook.chef.repository.policylock import PolicyLock

T = TypeVar("T")

_COLLECTIONS = {
    "role": "roles",
    "environment": "environments",
    "cookbook": "cookbooks",
    "data bag item": "data",
    "data bag": "data",
}


@dataclass(frozen=True)
class FileChanges:
    """Paths of a cookbook's files: new, with different content, and to be removed."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @classmethod
    def between(cls, stored: Mapping[str, str], wanted: Mapping[str, str]) -> FileChanges:
        """The changes from ``stored`` to ``wanted``; both are path → MD5."""
        return cls(
            added=tuple(sorted(wanted.keys() - stored.keys())),
            changed=tuple(p for p in sorted(wanted) if stored.get(p, wanted[p]) != wanted[p]),
            removed=tuple(sorted(stored.keys() - wanted.keys())),
        )

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True)
class CookbookChange:
    """A cookbook to upload; ``stored`` are the checksums of its files on the server.

    ``metadata`` names the fields of its metadata that differ; empty for a new one. ``frozen``: the
    server replaces its version only with force. ``first``: the server has no version of it yet.
    """

    cookbook: Cookbook
    stored: frozenset[str]
    new: bool
    files: FileChanges = FileChanges()
    metadata: tuple[str, ...] = ()
    frozen: bool = False
    first: bool = False

    @property
    def label(self) -> str:
        """Its name in messages."""
        return f"cookbook {self.cookbook.name} {self.cookbook.version}"

    @property
    def missing(self) -> frozenset[str]:
        """Checksums that the server may lack."""
        return frozenset(file.md5 for file in self.cookbook.files) - self.stored

    @property
    def released(self) -> frozenset[str]:
        """Checksums that the server no longer needs for this cookbook."""
        return self.stored - frozenset(file.md5 for file in self.cookbook.files)


@dataclass(frozen=True)
class ObjectChange:
    """A role, environment, data bag or item to create (in ``collection``) or to replace.

    ``stored`` is the server's object in the form of ``value``, or ``None``. Neither may be shown if
    it is ``secret``. A ``fixed`` object is created, but never replaced.
    """

    label: str
    collection: str
    name: str
    value: Mapping[str, Any] = field(repr=False)
    new: bool
    stored: Mapping[str, Any] | None = field(default=None, repr=False)
    secret: bool = False
    fixed: bool = False


@dataclass(frozen=True)
class PolicyChange:
    """A policy to upload, and its cookbooks, by identifier, that the server lacks.

    ``new``: the group has no such policy yet.
    """

    policy: PolicyLock
    artifacts: Mapping[str, Cookbook]
    new: bool

    @property
    def label(self) -> str:
        """Its name in messages."""
        return self.policy.label


@dataclass(frozen=True)
class Gone:
    """An object to delete from the server; ``path`` is its URL path.

    ``kind`` is ``role``, ``environment``, ``cookbook`` (one version), ``data bag item`` or
    ``data bag`` (with all its items).
    """

    kind: str
    label: str
    path: str

    @classmethod
    def of(cls, kind: str, *names: str) -> Gone:
        """The object of these names: a cookbook and its version, a data bag and its item."""
        name = ("/" if kind == "data bag item" else " ").join(names)
        return cls(kind, f"{kind} {name}", object_path(_COLLECTIONS[kind], *names))


@dataclass(frozen=True)
class Difference:
    """What to do on the server; ``objects`` are in the order in which nodes may see them.

    ``gone`` are objects that only the server has; an object comes before those that it refers to.
    """

    cookbooks: tuple[CookbookChange, ...]
    objects: tuple[ObjectChange, ...]
    unchanged: tuple[str, ...]
    gone: tuple[Gone, ...] = ()
    policy: PolicyChange | None = None


def object_path(*parts: str) -> str:
    """The URL path of these names, escaped."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def cookbook_waves(changes: Iterable[CookbookChange]) -> Iterator[list[CookbookChange]]:
    """Groups that may be uploaded in parallel, one group after the other.

    First the cookbooks of which the server had no version: nodes can't use them yet. Then the
    others, each after its dependencies, so that the server can always resolve them.
    """
    changes = tuple(changes)
    yield [change for change in changes if change.first]
    needed = {
        change.cookbook.name: (
            change.cookbook.dependencies if change.new or "dependencies" in change.metadata else ()
        )
        for change in changes
    }
    for wave in _waves(changes, lambda change: change.cookbook.name, needed):
        yield [change for change in wave if not change.first]


def batches(wave: Iterable[CookbookChange]) -> Iterator[list[CookbookChange]]:
    """Split a wave so that no cookbook of a batch releases a file that another one of it needs.

    A server deletes a file as soon as no cookbook has it. If possible, the cookbook that needs a
    file comes before the one that releases it.
    """
    wave = tuple(wave)
    lacking = frozenset().union(*(change.missing for change in wave))
    batch: list[CookbookChange] = []
    released: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    for change in sorted(wave, key=lambda change: bool(change.released & lacking)):
        if change.missing & released or change.released & missing:
            yield batch
            batch, released, missing = [], frozenset(), frozenset()
        batch.append(change)
        released |= change.released
        missing |= change.missing
    if batch:
        yield batch


def object_waves(changes: Iterable[ObjectChange]) -> Iterator[list[ObjectChange]]:
    """Groups that may be uploaded in parallel: an object comes before those that refer to it.

    Data bags, their items, environments, then roles, each after the roles in its run lists. Items
    of the same bag are never uploaded in parallel, because goiardi loses one of them.
    """
    kinds: dict[str, list[ObjectChange]] = {}
    for change in changes:
        kinds.setdefault(change.collection, []).append(change)
    roles = kinds.pop("/roles", [])
    environments = kinds.pop("/environments", [])
    yield kinds.pop("/data", [])
    for items in zip_longest(*kinds.values()):
        yield [item for item in items if item]
    yield environments
    yield from role_waves(roles, lambda change: change.name, lambda change: change.value)


def role_waves(
    roles: Iterable[T], name: Callable[[T], str], value: Callable[[T], Mapping[str, Any]]
) -> Iterator[list[T]]:
    """Groups of roles, each after the roles in its run lists."""
    roles = tuple(roles)
    return _waves(roles, name, {name(role): _roles_in(value(role)) for role in roles})


def _roles_in(role: Mapping[str, Any]) -> list[str]:
    lists = [role.get("run_list") or (), *(role.get("env_run_lists") or {}).values()]
    items = (RunListItem.parse_or_none(entry) for entries in lists for entry in entries)
    return [item.name for item in items if item and item.kind == "role"]


def _waves(
    values: Iterable[T], name: Callable[[T], str], needed: Mapping[str, Iterable[str]]
) -> Iterator[list[T]]:
    """The values, each after those that it needs; with a cycle, all in one group."""
    named = {name(value): value for value in values}
    graph = {one: [other for other in needed[one] if other in named] for one in named}
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError:
        yield list(named.values())
        return
    while sorter.is_active():
        ready = sorter.get_ready()
        yield [named[one] for one in ready]
        sorter.done(*ready)
