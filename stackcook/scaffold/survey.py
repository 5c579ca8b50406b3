"""What an existing Chef repository holds: looks at its files, changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Any

from stackcook.chef.objects import metadata
from stackcook.chef.loader.findings import Findings
from stackcook.chef.loader.sources import read_json
from stackcook.chef.loader.ruby import Kind, Source, evaluate
from stackcook.errors import Finding, Severity, UsageError

_NAME = re.compile(r"\w[\w.:-]*(/\w[\w.:-]*)*", re.ASCII)
"""A name, or ``sub/name``, that means itself in a manifest."""


@dataclass(frozen=True)
class Cookbook:
    """A cookbook by the name of its directory; no version where its metadata gives none."""

    name: str
    version: str | None = None
    dependencies: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataBag:
    """A data bag and the names of its items' files; ``encrypted`` are those that are so on disk."""

    name: str
    items: tuple[str, ...] = ()
    encrypted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Node:
    """A node as knife writes it into ``nodes/``."""

    name: str
    run_list: tuple[str, ...] = ()
    environment: str = "_default"
    address: IPv4Address | None = None
    policy: tuple[str, str] | None = None


@dataclass(frozen=True)
class Survey:
    """A repository's parts, each sorted by name; ``findings`` say what was left out, and why."""

    cookbooks: tuple[Cookbook, ...] = ()
    environments: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    data_bags: tuple[DataBag, ...] = ()
    nodes: tuple[Node, ...] = ()
    berksfile: bool = False
    cheffile: bool = False
    findings: tuple[Finding, ...] = field(default=(), compare=False)


def survey(root: Path) -> Survey:
    """What lies in ``root``. Raises UsageError where that is no Chef repository."""
    if not root.is_dir():
        what = "is no directory" if root.exists() else "there is no such directory"
        raise UsageError(what, where=str(root), remedy="name the Chef repository")
    findings = Findings()
    found = Survey(
        cookbooks=_cookbooks(root / "cookbooks", findings),
        environments=_names(root / "environments", (".json", ".rb"), findings),
        roles=_names(root / "roles", (".json", ".rb"), findings),
        data_bags=tuple(
            _data_bag(path, findings) for path in _directories(root / "data_bags", findings)
        ),
        nodes=tuple(_nodes(root / "nodes", findings)),
        berksfile=(root / "Berksfile").is_file(),
        cheffile=(root / "Cheffile").is_file(),
    )
    if found == Survey():
        why = [str(finding) for finding in findings.found[:1]]
        raise UsageError(
            "there is no Chef repository",
            where=str(root),
            remedy=", ".join(why) or "name a directory with cookbooks/, roles/ or a Berksfile",
        )
    return replace(found, findings=tuple(findings.found))


def _cookbooks(directory: Path, findings: Findings) -> tuple[Cookbook, ...]:
    files = {}
    for path in _directories(directory, findings):
        there = [path / name for name in ("metadata.json", "metadata.rb")]
        file = next((file for file in there if file.is_file()), None)
        if file:
            files[path.name] = file
        else:
            _leave_out(path, "it has no metadata.rb", findings)
    values = _metadata(directory, files.values(), findings)
    return tuple(_cookbook(name, values.get(file) or {}) for name, file in files.items())


def _metadata(
    directory: Path, files: Iterable[Path], findings: Findings
) -> dict[Path, Mapping[str, Any] | None]:
    """What the files say, as far as they can be read: by Ruby where they are Ruby's."""
    values = {file: read_json(file, findings) for file in files if file.suffix == ".json"}
    try:
        said = evaluate([Source(Kind.METADATA, file) for file in files if file not in values])
    except UsageError as error:
        findings.warning(directory, None, f"{error.what}: versions are left out", error.remedy)
        return values
    for file, value in said.items():
        if isinstance(value, Finding):
            findings.found.append(value)
        else:
            values[file] = value
    return values


def _cookbook(name: str, raw: Mapping[str, Any]) -> Cookbook:
    try:
        version = metadata.version(raw["version"])
    except (KeyError, ValueError):
        version = None  # `check` says what is wrong with it
    needed = raw.get("dependencies")
    return Cookbook(name, version, tuple(needed) if isinstance(needed, Mapping) else ())


def _data_bag(directory: Path, findings: Findings) -> DataBag:
    items = _names(directory, (".json",), findings)
    unread = Findings()  # `check` says what is wrong with them
    encrypted = (
        name for name in items if _is_encrypted(read_json(directory / f"{name}.json", unread) or {})
    )
    return DataBag(directory.name, items, tuple(encrypted))


def _is_encrypted(item: Mapping[str, Any]) -> bool:
    values = item.get("raw_data", item)
    inner = values.values() if isinstance(values, Mapping) else ()
    return any(isinstance(value, Mapping) and "encrypted_data" in value for value in inner)


def _nodes(directory: Path, findings: Findings) -> Iterator[Node]:
    for stem in _names(directory, (".json",), findings):
        path = directory / f"{stem}.json"
        raw = read_json(path, findings)
        if raw is None:
            continue
        name, run_list = raw.get("name") or stem, raw.get("run_list") or []
        environment = raw.get("chef_environment") or "_default"
        policy = raw.get("policy_name"), raw.get("policy_group")
        if not _is_text(name) or not _NAME.fullmatch(name) or "/" in name:
            _leave_out(path, "a manifest can't hold this name", findings)
        elif not isinstance(run_list, list) or not all(map(_is_text, run_list)):
            _leave_out(path, "its run list is no list of texts", findings)
        elif not all(_is_text(word) for word in (environment, *policy) if word is not None):
            _leave_out(path, "its environment or policy is no name", findings)
        else:
            address = _address(raw.get("automatic"))
            group = (str(policy[0]), str(policy[1])) if all(policy) else None
            yield Node(name, tuple(run_list), environment, address, group)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _address(automatic: object) -> IPv4Address | None:
    given = automatic.get("ipaddress") if isinstance(automatic, Mapping) else None
    try:
        return IPv4Address(str(given))
    except AddressValueError:
        return None


def _directories(directory: Path, findings: Findings) -> list[Path]:
    """The directories in ``directory`` whose names a manifest can hold."""
    there = [path for path in sorted(_within(directory, deep=False)) if path.is_dir()]
    return [path for path in there if _can_be_named(path, path.name, findings)]


def _names(directory: Path, suffixes: Sequence[str], findings: Findings) -> tuple[str, ...]:
    """``name`` and ``sub/name`` of the files below ``directory`` that have one of ``suffixes``."""
    names = {
        path.relative_to(directory).with_suffix("").as_posix(): path
        for path in _within(directory, deep=True)
        if path.suffix in suffixes and path.is_file()
    }
    return tuple(name for name in sorted(names) if _can_be_named(names[name], name, findings))


def _within(directory: Path, *, deep: bool) -> Iterator[Path]:
    """What is in a directory, hidden files aside; ``deep``: and below. Raises OSError."""
    for path in directory.iterdir() if directory.exists() else ():
        if not path.name.startswith("."):
            yield path
            if deep and path.is_dir() and not path.is_symlink():
                yield from _within(path, deep=True)


def _can_be_named(path: Path, name: str, findings: Findings) -> bool:
    good = _NAME.fullmatch(name) is not None
    if not good:
        _leave_out(path, "a manifest can't hold this name", findings)
    return good


def _leave_out(path: Path, why: str, findings: Findings) -> None:
    what = f"left out: {why}"
    findings.found.append(Finding(path, None, what, "correct it", Severity.WARNING))
