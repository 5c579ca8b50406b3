"""What is to be done on the Chef server, as values: new, changed and gone objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stackcook.chef.objects.cookbook import Cookbook
from stackcook.chef.repository.policylock import PolicyLock


@dataclass(frozen=True)
class FileChanges:
    """Paths within a cookbook: new ones, those whose content differs, and those that go."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @classmethod
    def between(cls, stored: Mapping[str, str], wanted: Mapping[str, str]) -> FileChanges:
        """The changes that make ``wanted`` of ``stored``; both are path → MD5."""
        return cls(
            added=tuple(sorted(wanted.keys() - stored.keys())),
            changed=tuple(p for p in sorted(wanted) if stored.get(p, wanted[p]) != wanted[p]),
            removed=tuple(sorted(stored.keys() - wanted.keys())),
        )

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True)
class CookbookChange:
    """A cookbook to put; ``stored`` are the checksums of its files that the server has.

    ``metadata`` names the fields of its metadata that differ; a new one has none. ``frozen``: the
    server replaces its version only by force. ``first``: it has no version of that cookbook yet.
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
        """What people read."""
        return f"cookbook {self.cookbook.name} {self.cookbook.version}"

    @property
    def missing(self) -> frozenset[str]:
        """Checksums that the server may lack."""
        return frozenset(file.md5 for file in self.cookbook.files) - self.stored

    @property
    def given(self) -> frozenset[str]:
        """Checksums that the server no longer needs for this cookbook."""
        return self.stored - frozenset(file.md5 for file in self.cookbook.files)


@dataclass(frozen=True)
class ObjectChange:
    """A role, environment, data bag or item to make (in ``collection``) or to replace.

    ``stored`` is what the server has, in the form of ``value``; ``None`` where that is nothing.
    Of a ``secret`` one neither may be shown. A ``fixed`` one is made, but never replaced.
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
    """A policy to put, and the cookbooks of it, by identifier, that the server lacks.

    ``new``: the group has no such policy yet.
    """

    policy: PolicyLock
    artifacts: Mapping[str, Cookbook]
    new: bool

    @property
    def label(self) -> str:
        """What people read."""
        return self.policy.label


@dataclass(frozen=True)
class Gone:
    """What the server has and the manifest does not name; ``path`` is what DELETE takes.

    ``kind`` is ``role``, ``environment``, ``cookbook`` (one version), ``data bag item`` or
    ``data bag`` (with all its items).
    """

    kind: str
    label: str
    path: str


@dataclass(frozen=True)
class Difference:
    """What is to do; ``objects`` in the order in which readers may see them.

    ``gone`` is in the order in which it may be deleted: what names others before what is named.
    """

    cookbooks: tuple[CookbookChange, ...]
    objects: tuple[ObjectChange, ...]
    unchanged: tuple[str, ...]
    gone: tuple[Gone, ...] = ()
    policy: PolicyChange | None = None
