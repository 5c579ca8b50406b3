"""The Chef repository on disk, as far as the manifest names it, in the form that is uploaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackcook.chef import metadata, objects
from stackcook.chef.chefignore import Chefignore
from stackcook.chef.cookbook import Cookbook, read_files
from stackcook.chef.databags import DataBag, read_data_bags
from stackcook.chef.findings import Findings, place, suggestion
from stackcook.chef.load import Sources
from stackcook.chef.locate import locate
from stackcook.chef.references import Known, check_references
from stackcook.chef.ruby import Kind, Source
from stackcook.errors import Finding, InputError, Severity
from stackcook.manifest.model import Cookbook as Wanted
from stackcook.manifest.model import Manifest

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Repository:
    """All that ``upload`` puts on the Chef server; roles and environments by name, whole."""

    cookbooks: tuple[Cookbook, ...] = ()
    roles: Mapping[str, Object] = field(default_factory=dict)
    environments: Mapping[str, Object] = field(default_factory=dict)
    data_bags: tuple[DataBag, ...] = ()

    @classmethod
    def read(cls, manifest: Manifest) -> Repository:
        """What the manifest names. Raises InputError with every finding if one is an error."""
        repository, findings = cls.inspect(manifest)
        if any(finding.severity is Severity.ERROR for finding in findings):
            raise InputError(findings)
        return repository

    @classmethod
    def inspect(cls, manifest: Manifest) -> tuple[Repository, tuple[Finding, ...]]:
        """What could be read, and all that is wrong with it. Raises UsageError without Ruby."""
        findings = Findings()
        root = manifest.root
        roles = locate(manifest.path, manifest.roles, root / "roles", findings)
        environments = locate(manifest.path, manifest.environments, root / "environments", findings)
        cookbooks = _metadata_files(manifest, findings)
        sources = Sources.load(
            (
                *(Source(Kind.ROLE, path) for path in roles.values()),
                *(Source(Kind.ENVIRONMENT, path) for path in environments.values()),
                *(Source(Kind.METADATA, path) for path in cookbooks.values()),
            ),
            findings,
        )
        repository = cls(
            cookbooks=tuple(_cookbooks(manifest, cookbooks, sources, findings)),
            roles=_objects(roles, sources, objects.role, findings),
            environments=_objects(environments, sources, objects.environment, findings),
            data_bags=read_data_bags(manifest, findings),
        )
        known = Known(
            cookbooks={cookbook.name: cookbook for cookbook in repository.cookbooks},
            cookbook_names=frozenset(cookbooks) | {wanted.name for wanted in manifest.cookbooks},
            roles=frozenset(roles),
            environments=frozenset(environments),
        )
        files = {**_files(repository.roles, roles), **_files(repository.environments, environments)}
        check_references(manifest, known, files, cookbooks, findings)
        return repository, tuple(dict.fromkeys(findings.found))


def _files(found: Mapping[str, Object], paths: Mapping[str, Path]) -> dict[Path, Object]:
    return {paths[name]: value for name, value in found.items()}


def _metadata_files(manifest: Manifest, findings: Findings) -> dict[str, Path]:
    """Cookbook → its metadata.json, or else metadata.rb."""
    directory = manifest.root / "cookbooks"
    found = {}
    for wanted in manifest.cookbooks:
        cookbook = directory / wanted.name
        files = [cookbook / name for name in ("metadata.json", "metadata.rb")]
        there = [file for file in files if file.is_file()]
        if there:
            found[wanted.name] = there[0]
        elif cookbook.is_dir():
            findings.error(cookbook, None, "the cookbook has no metadata.rb", "write one")
        else:
            known = [path.parent.name for path in directory.glob("*/metadata.*")]
            remedy = suggestion(wanted.name, known, "put it there, or take the name out")
            what = f"there is no cookbook cookbooks/{wanted.name}"
            findings.error(manifest.path, wanted.at, what, remedy)
    return found


def _cookbooks(
    manifest: Manifest, files: Mapping[str, Path], sources: Sources, findings: Findings
) -> list[Cookbook]:
    read = []
    for wanted in manifest.cookbooks:
        path = files.get(wanted.name)
        if path and path in sources.values:
            cookbook = _cookbook(manifest, wanted, path, sources.values[path], findings)
            if cookbook:
                read.append(cookbook)
    return read


def _cookbook(
    manifest: Manifest, wanted: Wanted, path: Path, raw: Object, findings: Findings
) -> Cookbook | None:
    try:
        files = read_files(path.parent, Chefignore.find(path.parent))
    except (OSError, UnicodeDecodeError) as error:
        findings.error(
            path.parent, None, f"can't be read: {error}", "correct the file's permission"
        )
        return None
    # Recipes are named by their files, also those in folders below: Chef's own rule.
    recipes = [
        Path(file.path).name.removesuffix(".rb")
        for file in files
        if file.path.startswith("recipes/")
    ]
    try:
        cookbook = Cookbook(wanted.name, metadata.normalize(raw, recipes), files)
    except ValueError as error:
        findings.error(path, None, str(error), "correct the metadata")
        return None
    name = cookbook.metadata["name"]
    if name != wanted.name:
        what = f'the cookbook calls itself "{name}"'
        findings.error(path, place(path, name), what, f"name it {wanted.name}, as its directory")
        return None
    if wanted.version and metadata.version(wanted.version) != cookbook.version:
        what = f"{wanted.name} {wanted.version} is wanted, but cookbooks/ has {cookbook.version}"
        findings.error(manifest.path, wanted.at, what, "make the two versions equal")
    return cookbook


def _objects(
    paths: Mapping[str, Path],
    sources: Sources,
    whole: Callable[[str, Object], dict[str, Any]],
    findings: Findings,
) -> dict[str, Object]:
    """Roles or environments: each whole, and named as its file."""
    found: dict[str, Object] = {}
    for name, path in paths.items():
        raw = sources.values.get(path)
        if raw is None:
            continue
        said = raw.get("name", name if path.suffix == ".json" else None)
        if said != name:
            what = f'its name is "{said}"' if said else "it has no name"
            findings.error(path, place(path, "name"), what, f"name it {name}, as its file")
            continue
        try:
            found[name] = whole(name, raw)
        except ValueError as error:
            findings.error(path, None, str(error), "correct it")
    return found
