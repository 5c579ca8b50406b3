"""The manifest of an existing Chef repository: reads its files, changes nothing."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from stackcook.addresses import IPAddress
from stackcook.chef.loader.findings import Findings
from stackcook.chef.loader.sources import read_json
from stackcook.chef.loader.ruby import Kind, Source, evaluate
from stackcook.chef.objects import metadata
from stackcook.errors import Finding, UsageError
from stackcook.scaffold.emit import Section

_NAME = re.compile(r"\w[\w.:-]*(/\w[\w.:-]*)*", re.ASCII)
"""A name, or ``sub/name``, that a manifest can contain literally."""
_TAG = re.compile(r"[^\s,'\"\\]+")


@dataclass(frozen=True)
class FoundCookbook:
    """A cookbook by the name of its directory; no version where its metadata gives none."""

    name: str
    version: str | None = None
    dependencies: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundDataBag:
    """A data bag and the names of its items' files; ``encrypted`` are encrypted on disk."""

    name: str
    items: tuple[str, ...] = ()
    encrypted: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundNode:
    """A node as knife writes it into ``nodes/``; ``normal`` are its attributes as JSON."""

    name: str
    run_list: tuple[str, ...] = ()
    environment: str = "_default"
    address: IPAddress | None = None
    policy: tuple[str, str] | None = None
    tags: tuple[str, ...] = ()
    normal: str = ""


@dataclass(frozen=True)
class Survey:
    """A repository's parts, each sorted by name; ``findings`` say what was skipped, and why."""

    cookbooks: tuple[FoundCookbook, ...] = ()
    environments: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    data_bags: tuple[FoundDataBag, ...] = ()
    nodes: tuple[FoundNode, ...] = ()
    berksfile: bool = False
    cheffile: bool = False
    findings: tuple[Finding, ...] = field(default=(), compare=False)


def survey(root: Path) -> Survey:
    """Read ``root``. Raises UsageError if it is not a Chef repository."""
    if not root.is_dir():
        what = "is not a directory" if root.exists() else "directory not found"
        raise UsageError(what, where=str(root), remedy="name the directory of a Chef repository")
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
    _others(root, findings)
    if found == Survey():
        why = [str(finding) for finding in findings.found[:1]]
        raise UsageError(
            "is not a Chef repository",
            where=str(root),
            remedy=", ".join(why) or "use a directory with cookbooks/, roles/ or a Berksfile",
        )
    return replace(found, findings=tuple(findings.found))


def _cookbooks(directory: Path, findings: Findings) -> tuple[FoundCookbook, ...]:
    files = {}
    for path in _directories(directory, findings):
        there = [path / name for name in _METADATA]
        file = next((file for file in there if file.is_file()), None)
        if file:
            files[path.name] = file
        else:
            _skip(path, "it has no metadata.rb", findings)
    values = _metadata(directory, files.values(), findings)
    return tuple(_cookbook(name, values.get(file) or {}) for name, file in files.items())


_METADATA = ("metadata.json", "metadata.rb")


def _others(root: Path, findings: Findings) -> None:
    """Report each cookbook beside ``cookbooks/``, such as those of other ``cookbook_path``s."""
    places = [root / ".chef" / name for name in ("config.rb", "knife.rb")] + [root / "knife.rb"]
    config = [Source(Kind.CONFIG, path) for path in places if path.is_file()][:1]
    directories = {path.resolve(): path for path in sorted(_within(root, deep=False))}
    try:
        values = list(evaluate(config, root).values()) if config else []
    except UsageError as error:
        what = f"{error.what}: cookbook_path is not read"
        findings.warning(config[0].path, None, what, error.remedy)
        values = []
    for found in values:
        if isinstance(found, Finding):  # the paths in it are unknown
            findings.warning(found.path, found.position, found.what, found.remedy)
            continue
        given = found.values.get("cookbook_path") or ()
        for path in (given,) if isinstance(given, str) else given:
            directories.setdefault(
                (root / str(path)).resolve(), Path(os.path.normpath(root / path))
            )
    directories.pop((root / "cookbooks").resolve(), None)
    for directory in directories.values():
        for path in sorted(_within(directory, deep=False)) if directory.is_dir() else ():
            if any((path / name).is_file() for name in _METADATA):
                own = root / "cookbooks" / path.name
                link = f"ln -s {shlex.quote(os.path.relpath(path, own.parent))} cookbooks/"
                remedy = f"move it there, or link it with `{link}`"
                if own.exists():
                    remedy = f"if it is the one that you use, replace cookbooks/{path.name} with it"
                what = "cookbook left out: stackcook reads only those in cookbooks/"
                findings.warning(path, None, what, remedy)


def _metadata(
    directory: Path, files: Iterable[Path], findings: Findings
) -> dict[Path, Mapping[str, Any] | None]:
    """The values of the readable files; Ruby evaluates the Ruby files."""
    values = {file: read_json(file, findings) for file in files if file.suffix == ".json"}
    try:
        values_or_errors = evaluate(
            [Source(Kind.METADATA, file) for file in files if file not in values],
            directory.parent,
        )
    except UsageError as error:
        findings.warning(
            directory, None, f"{error.what}: cookbook versions are omitted", error.remedy
        )
        return values
    for file, value in values_or_errors.items():
        if isinstance(value, Finding):
            findings.found.append(value)
        else:
            values[file] = value.values
    return values


def _cookbook(name: str, raw: Mapping[str, Any]) -> FoundCookbook:
    try:
        version = metadata.version(raw["version"])
    except (KeyError, ValueError):
        version = None  # `check` says what is wrong with it
    needed = raw.get("dependencies")
    return FoundCookbook(name, version, tuple(needed) if isinstance(needed, Mapping) else ())


def _data_bag(directory: Path, findings: Findings) -> FoundDataBag:
    items = _names(directory, (".json",), findings)
    unread = Findings()  # `check` says what is wrong with them
    encrypted = (
        name for name in items if _is_encrypted(read_json(directory / f"{name}.json", unread) or {})
    )
    return FoundDataBag(directory.name, items, tuple(encrypted))


def _is_encrypted(item: Mapping[str, Any]) -> bool:
    values = item.get("raw_data", item)
    inner = values.values() if isinstance(values, Mapping) else ()
    return any(isinstance(value, Mapping) and "encrypted_data" in value for value in inner)


def _nodes(directory: Path, findings: Findings) -> Iterator[FoundNode]:
    for stem in _names(directory, (".json",), findings):
        path = directory / f"{stem}.json"
        raw = read_json(path, findings)
        if raw is None:
            continue
        name, run_list = raw.get("name") or stem, raw.get("run_list") or []
        environment = raw.get("chef_environment") or "_default"
        policy = raw.get("policy_name"), raw.get("policy_group")
        if not _is_text(name) or not _NAME.fullmatch(name) or "/" in name:
            _skip(path, "a manifest cannot contain this name", findings)
        elif not isinstance(run_list, list) or not all(map(_is_text, run_list)):
            _skip(path, "its run list is not a list of strings", findings)
        elif not all(_is_text(word) for word in (environment, *policy) if word is not None):
            _skip(path, "the name of its environment or policy is not valid", findings)
        else:
            address = _address(raw.get("automatic"))
            group = (str(policy[0]), str(policy[1])) if all(policy) else None
            tags, normal = _normal(path, raw.get("normal"), findings)
            yield FoundNode(name, tuple(run_list), environment, address, group, tags, normal)


def _normal(path: Path, given: object, findings: Findings) -> tuple[tuple[str, ...], str]:
    """The node's tags, and its other normal attributes as JSON; empty if there are none."""
    if not isinstance(given, Mapping):
        if given is not None:
            _omit(path, "normal attributes", "they are not a mapping", findings)
        return (), ""
    attributes = {key: value for key, value in given.items() if key not in ("tags", "stackcook")}
    tags, good = given.get("tags") or [], []
    if not isinstance(tags, list):
        tags = [tags]
    for tag in tags:
        if _is_text(tag) and _TAG.fullmatch(tag):
            good.append(tag)
        else:
            _omit(path, f"tag {json.dumps(tag)}", "`--tags` cannot contain it", findings)
    return tuple(good), json.dumps(attributes) if attributes else ""


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _address(automatic: object) -> IPAddress | None:
    given = automatic.get("ipaddress") if isinstance(automatic, Mapping) else None
    try:
        return ip_address(str(given))
    except ValueError:
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
    """What is in a directory, without hidden files; ``deep``: and below. Raises OSError."""
    for path in directory.iterdir() if directory.exists() else ():
        if not path.name.startswith("."):
            yield path
            if deep and path.is_dir() and not path.is_symlink():
                yield from _within(path, deep=True)


def _can_be_named(path: Path, name: str, findings: Findings) -> bool:
    good = _NAME.fullmatch(name) is not None
    if not good:
        _skip(path, "a manifest cannot contain this name", findings)
    return good


def _omit(path: Path, what: str, why: str, findings: Findings) -> None:
    findings.warning(
        path, None, f"{what} left out: {why}", "set this in a recipe or a role of the node"
    )


def _skip(path: Path, why: str, findings: Findings) -> None:
    remedy = "correct it, or add it to the manifest yourself"
    findings.warning(path, None, f"skipped: {why}", remedy)


HEAD = (
    "Generated from this Chef repository by `stackcook init --from-repository`.",
    "`stackcook check` reports problems; `stackcook plan` shows what deploy would do.",
)


def sections(found: Survey) -> tuple[Section, ...]:
    """The manifest; sections of which there is nothing are left out."""
    return tuple(_sections(found))


def _sections(found: Survey) -> Iterator[Section]:
    if found.berksfile:
        yield Section("berksfile", None, ("Berkshelf resolves the cookbooks of the Berksfile.",))
    if found.cookbooks or found.cheffile:
        entries = [
            {book.name: {"version": book.version} if book.version else None}
            for book in dependencies_first(found.cookbooks)
        ]
        yield Section("cookbooks", entries, tuple(_about_cookbooks(found)))
    if found.environments:
        yield Section("environments", [{name: None} for name in found.environments])
    if found.roles:
        yield Section("roles", [{name: None} for name in found.roles])
    if found.data_bags:
        bags = [
            {bag.name: {"items": list(bag.items)} if bag.items else None} for bag in found.data_bags
        ]
        yield Section("data bags", bags, tuple(_about_items(found.data_bags)))
    if found.nodes:
        shared = _shared_addresses(found.nodes)
        nodes = [_node(node, node.address not in shared) for node in found.nodes]
        yield Section("nodes", nodes, _ABOUT_NODES)


_ABOUT_NODES = (
    "stackcook connects over SSH to the address of a node, or to its name, as root, with your SSH",
    "key. To use another user and key, add a section `options` with `-x USER -i KEY`.",
)


def dependencies_first(cookbooks: Iterable[FoundCookbook]) -> list[FoundCookbook]:
    """Each cookbook after those that it depends on; by name if dependencies are circular."""
    named = {book.name: book for book in sorted(cookbooks, key=lambda book: book.name)}
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(named, ()))
    for name, book in named.items():
        sorter.add(
            name, *(other for other in book.dependencies if other in named and other != name)
        )
    try:
        return [named[name] for name in sorter.static_order()]
    except CycleError:  # `check` reports it
        return [*named.values()]


def _about_cookbooks(found: Survey) -> Iterator[str]:
    yield "Dependencies come first. A version must match the one in cookbooks/."
    if found.cheffile:
        yield "librarian-chef resolves the cookbooks of the Cheffile; they are not listed here."


def _about_items(bags: Iterable[FoundDataBag]) -> Iterator[str]:
    for bag in bags:
        if bag.encrypted:
            yield f"{bag.name}: {', '.join(bag.encrypted)}: already encrypted, uploaded unchanged."
    yield "To encrypt the items of a data bag on upload, add `secret: FILE` beside `items`."


def _node(node: FoundNode, addressed: bool) -> Mapping[str, Any]:
    """The node's entry; by its address, if it is one node's only."""
    body: dict[str, Any] = {}
    if addressed and node.address:
        body["name"] = node.name
    if node.run_list:
        body["run_list"] = list(node.run_list)
    options: list[str] = []
    if node.policy:
        name, group = node.policy
        options += ["--policy-name", name, "--policy-group", group]
    elif node.environment != "_default":
        options += ["-E", node.environment]
    if node.tags:
        options += ["--tags", ",".join(node.tags)]
    if node.normal:
        options += ["-j", node.normal]
    if options:
        body["options"] = shlex.join(options)
    return {str(node.address) if "name" in body else node.name: body or None}


def _shared_addresses(nodes: Iterable[FoundNode]) -> set[IPAddress | None]:
    """Those that several nodes have, as virtual machines do behind their own host's NAT."""
    counts = Counter(node.address for node in nodes)
    return {address for address, count in counts.items() if count > 1}
