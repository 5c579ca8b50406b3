"""The Chef repository on disk, as far as the manifest names it, in the form that is uploaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from stackcook.cache import cache
from stackcook.chef.checks.pins import check_client, check_pins
from stackcook.chef.checks.references import Known, References
from stackcook.chef.checks.syntax import check_syntax
from stackcook.chef.objects.cookbook import Cookbook
from stackcook.chef.objects.databags import DataBag, read_data_bags
from stackcook.chef.objects.hashes import Hashes
from stackcook.chef.loader.findings import Findings
from stackcook.chef.loader.load import Sources, ruby_needed
from stackcook.chef.loader.locate import locate
from stackcook.chef.loader.ruby import Kind, Source
from stackcook.chef.repository.policylock import PolicyLock, read_policy
from stackcook.chef.repository.read import (
    Found,
    find_cookbooks,
    read_cookbooks,
    read_objects,
    with_files,
)
from stackcook.errors import Finding, InputError, Severity
from stackcook.manifest.model import Manifest
from stackcook.meanwhile import Meanwhile

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Repository:
    """All that ``upload`` puts on the Chef server; roles and environments by name, whole."""

    cookbooks: tuple[Cookbook, ...] = ()
    roles: Mapping[str, Object] = field(default_factory=dict)
    environments: Mapping[str, Object] = field(default_factory=dict)
    data_bags: tuple[DataBag, ...] = ()
    policy: PolicyLock | None = None

    @classmethod
    def read(cls, manifest: Manifest) -> Repository:
        """What the manifest names. Raises InputError with every finding if one is an error."""
        repository, findings = cls.inspect(manifest)
        if any(finding.severity is Severity.ERROR for finding in findings):
            raise InputError(findings)
        return repository

    @classmethod
    def inspect(cls, manifest: Manifest) -> tuple[Repository, tuple[Finding, ...]]:
        """What could be read, and all that is wrong with it."""
        findings = Findings()
        root = manifest.root
        roles = locate(manifest.path, manifest.roles, root / "roles", findings)
        environments = locate(manifest.path, manifest.environments, root / "environments", findings)
        found, all_there = find_cookbooks(manifest, findings)
        loading = _Loading(manifest.path, roles, environments, found)
        hashes = Hashes.kept_in(cache(), root)
        wanted = with_files(found, hashes, findings)
        hashes.save()
        metadata_files = {name: found.metadata for name, found in wanted.items() if found.metadata}
        sources = loading.result(wanted, findings)
        # What was evaluated has shown its syntax errors.
        evaluated = {path for path in metadata_files.values() if path.suffix == ".rb"}
        files = [file for found in wanted.values() for file in found.files]
        with ruby_needed(manifest.path, findings):
            unseen = (file for file in files if file.source not in evaluated)
            check_syntax(unseen, cache(), findings)
        cookbooks = read_cookbooks(manifest, wanted, sources, findings)
        repository = cls(
            cookbooks=tuple(cookbooks.values()),
            roles=read_objects("role", roles, sources, findings),
            environments=read_objects("environment", environments, sources, findings),
            data_bags=read_data_bags(manifest, findings),
            policy=read_policy(manifest, findings),
        )
        names = {*wanted, *(cookbook.name for cookbook in manifest.cookbooks)}
        known = Known(cookbooks, metadata_files, names, all_there, roles, environments)
        References(manifest, known, sources, findings).check()
        check_pins(manifest, known, sources, findings)
        check_client(known, sources, findings)
        return repository, tuple(dict.fromkeys(findings.found))


class _Loading:
    """Ruby at work on the metadata, roles and environments while the cookbooks' files are read."""

    def __init__(
        self,
        manifest: Path,
        roles: Mapping[str, Path],
        environments: Mapping[str, Path],
        found: Mapping[str, Found],
    ) -> None:
        self._metadata = [(name, place.metadata) for name, place in found.items()]
        sources = (
            *(Source(Kind.ROLE, path) for path in roles.values()),
            *(Source(Kind.ENVIRONMENT, path) for path in environments.values()),
            *(Source(Kind.METADATA, path) for _, path in self._metadata if path),
        )
        self._findings = Findings()
        self._sources = Meanwhile(partial(Sources.load, sources, manifest, self._findings))

    def result(self, wanted: Mapping[str, Found], findings: Findings) -> Sources:
        """What they say; nothing is noted of a cookbook that is known to be unreadable."""
        sources = self._sources.result()
        out = {path for name, path in self._metadata if wanted[name].metadata is None}
        findings.found += (found for found in self._findings.found if found.path not in out)
        return sources
