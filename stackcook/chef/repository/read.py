"""Reads the repository's cookbooks, roles and environments into the form that is uploaded."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from stackcook.chef.loader.findings import Findings, searchable, suggestion
from stackcook.chef.loader.sources import Sources
from stackcook.chef.objects import metadata, roles
from stackcook.chef.objects.attributes import FILE, Attribute, read_attributes
from stackcook.chef.objects.chefignore import Chefignore
from stackcook.chef.objects.cookbook import Cookbook, CookbookFile, read_files, recipe_files
from stackcook.chef.objects.hashes import Hashes
from stackcook.chef.resolvers.fetch import fetch
from stackcook.errors import Severity
from stackcook.manifest.model import CookbookEntry, Manifest

_NAME = re.compile(r"[-\w]+")


@dataclass(frozen=True)
class Found:
    """A cookbook's directory, its entry in the manifest, its metadata file, and all its files."""

    directory: Path
    wanted: CookbookEntry | None
    metadata: Path | None
    files: tuple[CookbookFile, ...] = ()


def find_cookbooks(manifest: Manifest, findings: Findings) -> tuple[dict[str, Found], bool]:
    """The directories of the manifest's cookbooks and of vendored ones; files are not read yet.

    A cookbook in ``cookbooks/`` takes precedence over a vendored one. The second value is false if
    vendoring failed or ``cookbooks/`` cannot be read, so that cookbooks may be missing.
    """
    own = manifest.root / "cookbooks"
    if not searchable(own, findings):
        return {}, False
    before = len(findings.found)
    fetched = fetch(manifest, findings)
    complete = all(found.severity is not Severity.ERROR for found in findings.found[before:])
    named = {wanted.name: wanted for wanted in manifest.cookbooks}
    known = frozenset(path.name for path in own.glob("*/"))
    found = {}
    for name in (*named, *(name for name in fetched if name not in named)):
        here = own / name
        directory = here if name in named and os.path.isdir(here) else fetched.get(name, here)
        if os.path.isdir(directory):
            found[name] = _directory(directory, named.get(name), findings)
        elif complete:
            remedy = suggestion(name, known, "create it or remove the name")
            what = f"cookbook not found: cookbooks/{name}"
            at = named[name].at if name in named else None
            findings.error(manifest.path, at, what, remedy)
    return found, complete


def _directory(directory: Path, wanted: CookbookEntry | None, findings: Findings) -> Found:
    paths = (directory / name for name in ("metadata.json", "metadata.rb"))
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        findings.error(directory, None, "the cookbook has no metadata.rb", "create one")
    return Found(directory, wanted, path)


def with_files(found: Mapping[str, Found], hashes: Hashes, findings: Findings) -> dict[str, Found]:
    """The same with their files; a cookbook that can't be read loses its metadata, too."""
    read = {}
    for name, cookbook in found.items():
        files = files_of(cookbook.directory, findings, hashes)
        read[name] = (
            replace(cookbook, metadata=None) if files is None else replace(cookbook, files=files)
        )
    return read


def files_of(
    directory: Path, findings: Findings, hashes: Hashes | None = None
) -> tuple[CookbookFile, ...] | None:
    """The files of a cookbook to upload; ``None`` after adding a finding if one can't be read."""
    try:
        return read_files(directory, Chefignore.find(directory), hashes)
    except OSError as error:
        what = f"cannot read the cookbook: {(error.strerror or str(error)).lower()}"
        findings.error(Path(error.filename or directory), None, what, "make it readable")
    except UnicodeDecodeError as error:
        findings.error(directory, None, f"cannot read the cookbook: {error}", "make it readable")
    return None


def read_cookbooks(
    manifest: Manifest, found: Mapping[str, Found], sources: Sources, findings: Findings
) -> dict[str, Cookbook]:
    """The cookbooks without errors, by name."""
    readable = {name: each for name, each in found.items() if each.metadata in sources.values}
    read = {n: _cookbook(manifest, n, each, sources, findings) for n, each in readable.items()}
    return {name: cookbook for name, cookbook in read.items() if cookbook}


def _cookbook(
    manifest: Manifest, name: str, found: Found, sources: Sources, findings: Findings
) -> Cookbook | None:
    path = found.metadata
    assert path
    try:
        full = metadata.normalize(sources.values[path], _recipes(found.files))
    except metadata.InvalidMetadata as error:
        for fault in error.faults:
            findings.error(path, sources.place(path, *fault.keys), fault.what, fault.remedy)
        return None
    wanted = found.wanted
    options = wanted.options.split() if wanted else []
    cookbook = Cookbook(
        name, full, found.files, freeze="--freeze" in options, force="--force" in options
    )
    if full["name"] != name:
        what = f'the cookbook\'s name is "{full["name"]}"'
        remedy = f'set it to the directory\'s name, "{name}"'
        findings.error(path, sources.place(path, "name"), what, remedy)
        return None
    if wanted and wanted.version and metadata.version(wanted.version) != cookbook.version:
        what = f"the manifest has {name} {wanted.version}, but cookbooks/ has {cookbook.version}"
        findings.error(manifest.path, wanted.at, what, "use the same version")
    _check_recipes(found.files, findings)
    return cookbook


def _check_recipes(files: Iterable[CookbookFile], findings: Findings) -> None:
    """Report recipes that have several files."""
    remedy = "keep one of the two files"
    for used, *others in recipe_files(files).values():
        for other in others:
            both = [PurePosixPath(file.path) for file in (used, other)]
            if {path.suffix for path in both} == {".yaml", ".yml"} and all(
                path.parent.name for path in both  # in the root, one of the two is taken
            ):
                what = f"{used.path} exists, so chef-client fails on YAML recipes of this cookbook"
                findings.error(other.source, None, what, remedy)
            else:
                what = f"the file is ignored because {used.path} exists"
                findings.warning(other.source, None, what, remedy)


def _recipes(files: Iterable[CookbookFile]) -> list[str]:
    """Names of recipes for the metadata, as knife sends them: only ``.rb`` is removed."""
    paths = (PurePosixPath(file.path) for file in files if file.path.startswith("recipes/"))
    return [path.name.removesuffix(".rb") for path in paths]


def declared_attributes(files: Iterable[CookbookFile], findings: Findings) -> tuple[Attribute, ...]:
    """What the ``attributes.yml`` among the files of all cookbooks declare."""
    declared: list[Attribute] = []
    for file in files:
        if file.path == FILE:
            found, faults = read_attributes(file.source)
            declared += found
            findings.found += faults
    return tuple(declared)


def read_objects(
    kind: str, paths: Mapping[str, Path], sources: Sources, findings: Findings
) -> dict[str, Mapping[str, Any]]:
    """Roles or environments without errors, with all fields, by name."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, path in paths.items():
        raw = sources.values.get(path)
        if raw is None:
            continue
        before = len(findings.found)
        _check_name(name, path, raw, sources, findings)
        for keys, what, remedy in roles.faults(kind, raw):
            findings.error(path, sources.place(path, *keys), what, remedy)
        if len(findings.found) == before:
            found[name] = roles.whole(kind, name, raw)
        known = roles.KEYS[kind]
        for key in raw:
            if key not in known:
                remedy = suggestion(key, known, "remove it; Chef ignores it")
                what = f'unknown key "{key}" in {"an" if kind[0] == "e" else "a"} {kind}'
                findings.warning(path, sources.place(path, key), what, remedy)
    return found


def _check_name(
    name: str, path: Path, raw: Mapping[str, Any], sources: Sources, findings: Findings
) -> None:
    found = raw.get("name", name if path.suffix == ".json" else None)
    at = sources.place(path, "name")
    if found != name:
        what = f'the name is "{found}"' if found else "the name is missing"
        findings.error(path, at, what, f'set it to the file\'s name, "{name}"')
    elif not _NAME.fullmatch(name):
        findings.error(path, at, f'invalid name "{name}"', "use letters, digits, `_` and `-`")
