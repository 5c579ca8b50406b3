"""The Chef repository on disk, as far as the manifest names it, in the form that is uploaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stackcook.chef.cookbook import Cookbook
from stackcook.chef.databags import DataBag, read_data_bags
from stackcook.chef.findings import Findings
from stackcook.chef.hashes import Hashes
from stackcook.chef.load import Sources, ruby_needed
from stackcook.chef.locate import locate
from stackcook.chef.pins import check_client, check_pins
from stackcook.chef.policylock import PolicyLock, read_policy
from stackcook.chef.read import find_cookbooks, read_cookbooks, read_objects
from stackcook.chef.references import Known, References
from stackcook.chef.ruby import Kind, Source
from stackcook.chef.syntax import check_syntax
from stackcook.errors import Finding, InputError, Severity
from stackcook.machines.cache import cache
from stackcook.manifest.model import Manifest

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
        hashes = Hashes.kept_in(cache(), root)
        wanted, all_there = find_cookbooks(manifest, hashes, findings)
        hashes.save()
        metadata_files = {name: found.metadata for name, found in wanted.items() if found.metadata}
        sources = Sources.load(
            (
                *(Source(Kind.ROLE, path) for path in roles.values()),
                *(Source(Kind.ENVIRONMENT, path) for path in environments.values()),
                *(Source(Kind.METADATA, path) for path in metadata_files.values()),
            ),
            manifest.path,
            findings,
        )
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
