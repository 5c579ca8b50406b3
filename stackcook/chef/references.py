"""Whether all that the repository's parts name is there: pure checks over what was read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackcook.chef import metadata
from stackcook.chef.cookbook import Cookbook
from stackcook.chef.findings import Findings, place, suggestion
from stackcook.chef.objects import RunListItem
from stackcook.errors import Position
from stackcook.manifest.model import Manifest


@dataclass(frozen=True)
class Known:
    """What may be named; ``cookbook_names`` has those too that could not be read."""

    cookbooks: Mapping[str, Cookbook]
    cookbook_names: frozenset[str]
    roles: frozenset[str]
    environments: frozenset[str]


def check_references(
    manifest: Manifest,
    known: Known,
    files: Mapping[Path, Mapping[str, Any]],
    metadata_files: Mapping[str, Path],
    findings: Findings,
) -> None:
    """Note each name that means nothing: in nodes, roles, environments and dependencies.

    ``files`` are the roles and environments by path; ``metadata_files`` the cookbooks' by name.
    """
    for node in manifest.nodes:
        at = (manifest.path, node.at)
        if node.environment not in known.environments | {"_default"}:
            what = f'{node.name}: there is no environment "{node.environment}" in the manifest'
            remedy = suggestion(node.environment, known.environments, "add it to `environments`")
            findings.error(*at, what, remedy)
        for entry in node.run_list:
            _check_entry(entry, known, (*at, f"{node.name}: "), findings)
    for path, value in files.items():
        for entry in _run_lists(value):
            _check_entry(entry, known, (path, place(path, _name(entry)), ""), findings)
        for name, wanted in value.get("cookbook_versions", {}).items():
            _check_pin(path, name, wanted, known, findings)
    for name, cookbook in known.cookbooks.items():
        for other, wanted in cookbook.dependencies.items():
            _check_dependency(metadata_files[name], other, wanted, known, findings)


def _run_lists(value: Mapping[str, Any]) -> Iterator[str]:
    yield from value.get("run_list", ())
    for entries in value.get("env_run_lists", {}).values():
        yield from entries


def _name(entry: str) -> str:
    return RunListItem.parse(entry).name


def _check_entry(
    entry: str, known: Known, at: tuple[Path, Position | None, str], findings: Findings
) -> None:
    path, position, who = at
    try:
        item = RunListItem.parse(entry)
    except ValueError as error:
        findings.error(path, position, f"{who}{error}", "correct the run list")
        return
    if item.kind == "role":
        if item.name not in known.roles:
            what = f'{who}there is no role "{item.name}" in the manifest'
            remedy = suggestion(item.name, known.roles, "add it to `roles`")
            findings.error(path, position, what, remedy)
        return
    name = item.name.split("::")[0]
    if name not in known.cookbook_names:
        what = f'{who}there is no cookbook "{name}" in the manifest'
        remedy = suggestion(name, known.cookbook_names, "add it to `cookbooks`")
        findings.error(path, position, what, remedy)
    elif name in known.cookbooks and item.name not in (recipes := known.cookbooks[name].recipes):
        what = f'{who}cookbook {name} has no recipe "{item.name}"'
        findings.error(path, position, what, suggestion(item.name, recipes, "write it"))


def _check_pin(path: Path, name: str, wanted: object, known: Known, findings: Findings) -> None:
    try:
        constraint = metadata.constraint(wanted)
    except ValueError as error:
        findings.error(path, place(path, name), f"{name}: {error}", 'write it as "~> 1.2"')
        return
    cookbook = known.cookbooks.get(name)
    if cookbook and not metadata.satisfies(cookbook.version, constraint):
        what = f"{name} {constraint} is wanted, but cookbooks/ has {cookbook.version}"
        findings.warning(path, place(path, name), what, "nodes there won't get this version")


def _check_dependency(path: Path, name: str, wanted: str, known: Known, findings: Findings) -> None:
    cookbook = known.cookbooks.get(name)
    if name not in known.cookbook_names:
        what = f'it depends on "{name}", which is not in the manifest'
        remedy = suggestion(name, known.cookbook_names, "add it to `cookbooks`")
        findings.error(path, place(path, name), what, remedy)
    elif cookbook and not metadata.satisfies(cookbook.version, wanted):
        what = f"it depends on {name} {wanted}, but cookbooks/ has {cookbook.version}"
        findings.error(path, place(path, name), what, "make them fit")
