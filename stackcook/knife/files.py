"""The files on disk that knife's commands depend on; the rest is pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stackcook.chef.loader.findings import Findings
from stackcook.chef.loader.sources import locate
from stackcook.manifest.model import Berksfile, Manifest, Pattern

_GLOB = re.compile(r"[*?\[{]")
_LOCKED = re.compile(r"  ([\w.-]+) \((\d+(?:\.\d+)*)\)")


@dataclass(frozen=True)
class Files:
    """Names → files, relative to the directory of their kind; ``items`` by data bag.

    ``cookbooks`` are the names in ``cookbooks/``, ``nodes`` those with a file in ``nodes/``,
    ``locked`` the names and versions that Berkshelf has resolved.
    """

    environments: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    items: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cookbooks: Collection[str] = ()
    nodes: Collection[str] = ()
    locked: tuple[tuple[str, str], ...] = ()


def look(manifest: Manifest, findings: Findings, *, delete: bool) -> Files:
    """The files that the manifest names; missing ones are findings.

    ``Berksfile.lock`` is read only to ``delete`` cookbooks.
    """
    root = manifest.root

    def below(
        directory: Path, patterns: Iterable[Pattern], suffixes: tuple[str, ...]
    ) -> Mapping[str, str]:
        """Name → file for ``patterns``: first the names, then the globs, in spiceweasel's order."""
        plain_first = sorted(patterns, key=lambda pattern: bool(_GLOB.search(pattern.text)))
        found = locate(manifest.path, plain_first, directory, findings, suffixes=suffixes)
        return {name: str(path.relative_to(directory)) for name, path in found.items()}

    bags = {
        bag.name: below(root / "data_bags" / bag.name, bag.items, (".json",))
        for bag in manifest.data_bags
    }
    cookbooks = root / "cookbooks"
    if manifest.cookbooks and not cookbooks.is_dir():
        remedy = "create it: the commands download cookbooks from the Supermarket into it"
        what = "directory not found: cookbooks/"
        findings.error(manifest.path, manifest.cookbooks[0].at, what, remedy)
    return Files(
        environments=below(root / "environments", manifest.environments, (".json", ".rb")),
        roles=below(root / "roles", manifest.roles, (".json", ".rb")),
        items={name: tuple(items.values()) for name, items in bags.items()},
        cookbooks={path.name for path in cookbooks.glob("*") if path.is_dir()},
        nodes={path.stem for path in (root / "nodes").glob("*.json")},
        locked=_locked(manifest.berksfile, findings) if delete and manifest.berksfile else (),
    )


def _locked(berksfile: Berksfile, findings: Findings) -> tuple[tuple[str, str], ...]:
    lock = berksfile.path.with_name(f"{berksfile.path.name}.lock")
    if not lock.is_file():
        what = (
            f"{lock.name} not found, so there are no commands to delete the cookbooks of this "
            "Berksfile"
        )
        findings.warning(berksfile.path, None, what, "run `berks install`")
        return ()
    graph = lock.read_text().partition("\nGRAPH\n")[2]
    found = filter(None, map(_LOCKED.fullmatch, graph.splitlines()))
    return tuple((match[1], match[2]) for match in found)
