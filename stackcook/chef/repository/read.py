"""The repository's cookbooks, roles and environments: from files to what the server takes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from stackcook.chef.resolvers.fetch import fetch
from stackcook.chef.objects import metadata, objects
from stackcook.chef.objects.chefignore import Chefignore
from stackcook.chef.objects.cookbook import Cookbook, CookbookFile, read_files
from stackcook.chef.objects.hashes import Hashes
from stackcook.chef.loader.findings import Findings, suggestion
from stackcook.chef.loader.load import Sources
from stackcook.errors import Severity
from stackcook.manifest.model import CookbookEntry
from stackcook.manifest.model import Manifest

_NAME = re.compile(r"[-\w]+")
_WHOLE = {"role": objects.role, "environment": objects.environment}


@dataclass(frozen=True)
class Found:
    """A cookbook's directory: the manifest's entry for it, the metadata's file, all files."""

    directory: Path
    wanted: CookbookEntry | None
    metadata: Path | None
    files: tuple[CookbookFile, ...] = ()


def find_cookbooks(manifest: Manifest, findings: Findings) -> tuple[dict[str, Found], bool]:
    """The directories of the manifest's cookbooks, and of those that come from elsewhere.

    One in ``cookbooks/`` wins over one of that name from elsewhere. Their files are yet to be read.
    Also whether these are all: where some can't be brought, nobody knows which.
    """
    own = manifest.root / "cookbooks"
    before = len(findings.found)
    fetched = fetch(manifest, findings)
    all_there = all(found.severity is not Severity.ERROR for found in findings.found[before:])
    named = {wanted.name: wanted for wanted in manifest.cookbooks}
    there = frozenset(path.name for path in own.glob("*/")) if own.is_dir() else frozenset()
    found = {}
    for name in (*named, *(name for name in fetched if name not in named)):
        here = own / name
        directory = here if name in named and os.path.isdir(here) else fetched.get(name, here)
        if os.path.isdir(directory):
            found[name] = _directory(directory, named.get(name), findings)
        elif all_there:
            remedy = suggestion(name, there, "put it there, or take the name out")
            what = f"there is no cookbook cookbooks/{name}"
            at = named[name].at if name in named else None
            findings.error(manifest.path, at, what, remedy)
    return found, all_there


def _directory(directory: Path, wanted: CookbookEntry | None, findings: Findings) -> Found:
    there = [directory / name for name in ("metadata.json", "metadata.rb")]
    there = [path for path in there if path.is_file()]
    if not there:
        findings.error(directory, None, "the cookbook has no metadata.rb", "write one")
    return Found(directory, wanted, there[0] if there else None)


def with_files(found: Mapping[str, Found], hashes: Hashes, findings: Findings) -> dict[str, Found]:
    """The same with their files; one that can't be read whole is left without metadata, too."""
    return {name: _with_files(place, hashes, findings) for name, place in found.items()}


def _with_files(found: Found, hashes: Hashes, findings: Findings) -> Found:
    directory = found.directory
    try:
        files = read_files(directory, Chefignore.find(directory), hashes)
    except (OSError, UnicodeDecodeError) as error:
        what = f"can't be read: {error}"
        findings.error(directory, None, what, "correct the file's permission")
        return replace(found, metadata=None)
    return replace(found, files=files)


def read_cookbooks(
    manifest: Manifest, found: Mapping[str, Found], sources: Sources, findings: Findings
) -> dict[str, Cookbook]:
    """The cookbooks with nothing wrong about them, by name."""
    read = {}
    for name, place in found.items():
        if place.metadata in sources.values:
            cookbook = _cookbook(manifest, name, place, sources, findings)
            if cookbook:
                read[name] = cookbook
    return read


def _cookbook(
    manifest: Manifest, name: str, found: Found, sources: Sources, findings: Findings
) -> Cookbook | None:
    path = found.metadata
    assert path
    try:
        full = metadata.normalize(sources.values[path], _recipes(found.files))
    except metadata.Unfit as error:
        at = sources.place(path, *error.keys)
        findings.error(path, at, str(error), error.remedy)
        return None
    wanted = found.wanted
    options = wanted.options.split() if wanted else []
    cookbook = Cookbook(
        name, full, found.files, freeze="--freeze" in options, force="--force" in options
    )
    said = full["name"]
    if said != name:
        what = f'the cookbook calls itself "{said}"'
        at = sources.place(path, "name")
        findings.error(path, at, what, f"name it {name}, as its directory")
        return None
    if wanted and wanted.version and metadata.version(wanted.version) != cookbook.version:
        what = f"{name} {wanted.version} is wanted, but cookbooks/ has {cookbook.version}"
        findings.error(manifest.path, wanted.at, what, "make the two versions equal")
    return cookbook


def _recipes(files: Iterable[CookbookFile]) -> list[str]:
    """Recipes are named by their files, also those in folders below: Chef's own rule."""
    paths = (PurePosixPath(file.path) for file in files if file.path.startswith("recipes/"))
    return [path.name.removesuffix(".rb") for path in paths]


def read_objects(
    kind: str, paths: Mapping[str, Path], sources: Sources, findings: Findings
) -> dict[str, Mapping[str, Any]]:
    """Roles or environments with nothing wrong about them: each whole, and named as its file."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, path in paths.items():
        raw = sources.values.get(path)
        if raw is None:
            continue
        before = len(findings.found)
        _check_name(name, path, raw, sources, findings)
        for keys, what, remedy in objects.faults(kind, raw):
            findings.error(path, sources.place(path, *keys), what, remedy)
        if len(findings.found) == before:
            found[name] = _WHOLE[kind](name, raw)
        known = objects.KEYS[kind]
        for key in raw:
            if key not in known:
                remedy = suggestion(key, known, "take it out; Chef ignores it")
                what = f'unknown key "{key}" in {"an" if kind[0] == "e" else "a"} {kind}'
                findings.warning(path, sources.place(path, key), what, remedy)
    return found


def _check_name(
    name: str, path: Path, raw: Mapping[str, Any], sources: Sources, findings: Findings
) -> None:
    said = raw.get("name", name if path.suffix == ".json" else None)
    if said != name:
        what = f'its name is "{said}"' if said else "it has no name"
        findings.error(path, sources.place(path, "name"), what, f"name it {name}, as its file")
    elif not _NAME.fullmatch(name):
        at = sources.place(path, "name")
        findings.error(path, at, f'"{name}" is no name', "use letters, digits, `_` and `-`")
