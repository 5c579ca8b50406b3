"""The objects of the Chef repository that the manifest names, read, checked, and selected."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from stackcook import __version__
from stackcook.cache import cache
from stackcook.chef.checks.attributes import AttributeCheck
from stackcook.chef.checks.references import FindServer, Known, References
from stackcook.chef.checks.syntax import Use, check_syntax
from stackcook.chef.loader.findings import Findings, suggestion
from stackcook.chef.loader.ruby import Kind, Source
from stackcook.chef.loader.sources import Sources, is_glob, locate, ruby_needed
from stackcook.chef.objects.cookbook import Cookbook, CookbookFile, recipe_files
from stackcook.chef.objects.certificates import check_own
from stackcook.chef.objects.ha import check_members
from stackcook.chef.objects.databags import DataBag, read_data_bags
from stackcook.chef.objects.hashes import Hashes
from stackcook.chef.objects.runlist import full_name, recipes_of
from stackcook.chef.repository.packages import Packages, packages_of
from stackcook.chef.repository.policylock import PolicyLock, read_policy
from stackcook.chef.repository.read import (
    declared_attributes,
    find_cookbooks,
    read_cookbooks,
    read_objects,
    with_files,
)
from stackcook.errors import Finding, InputError, Severity, UsageError
from stackcook.manifest.model import Manifest, Node

SECTIONS = ("cookbooks", "environments", "roles", "data bags", "nodes", "clusters", "knife")
"""The manifest's sections."""

PACKAGES_SUFFIX = "_packages"
"""A recipe ``compute_packages`` does the part of ``compute`` that needs no other node."""

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Repository:
    """What ``upload`` puts on the Chef server; roles and environments by name.

    ``on_server`` are the objects that it refers to and only the user's own server has:
    ``role web``, ``cookbook apt``, …; ``uses`` is what each recipe (``COOKBOOK::RECIPE``) names.
    """

    cookbooks: tuple[Cookbook, ...] = ()
    roles: Mapping[str, Object] = field(default_factory=dict)
    environments: Mapping[str, Object] = field(default_factory=dict)
    data_bags: tuple[DataBag, ...] = ()
    policy: PolicyLock | None = None
    on_server: tuple[str, ...] = ()
    uses: Mapping[str, tuple[Use, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, manifest: Manifest, find_server: FindServer = lambda: None) -> Repository:
        """Read what the manifest names. Raises InputError with all findings if one is an error."""
        repository, findings = cls.inspect(manifest, find_server)
        if any(finding.severity is Severity.ERROR for finding in findings):
            raise InputError(findings)
        return repository

    @classmethod
    def inspect(
        cls, manifest: Manifest, find_server: FindServer = lambda: None
    ) -> tuple[Repository, tuple[Finding, ...]]:
        """What could be read, and all findings; what is missing may be on the user's own server."""
        findings = Findings()
        root = manifest.root
        roles = locate(manifest.path, manifest.roles, root / "roles", findings)
        environments = locate(manifest.path, manifest.environments, root / "environments", findings)
        found, complete = find_cookbooks(manifest, findings)
        found_in_ruby = Findings()
        metadata = [(name, cookbook.metadata) for name, cookbook in found.items()]
        files_of = (
            *(Source(Kind.ROLE, path) for path in roles.values()),
            *(Source(Kind.ENVIRONMENT, path) for path in environments.values()),
            *(Source(Kind.METADATA, path) for _, path in metadata if path),
        )
        with ThreadPoolExecutor(max_workers=1) as pool:  # Ruby evaluates while files are hashed
            loading = pool.submit(Sources.load, files_of, manifest.path, found_in_ruby)
            hashes = Hashes.kept_in(cache(), root)
            wanted = with_files(found, hashes, findings)
            hashes.save()
            sources = loading.result()
        # A cookbook whose files turned out to be unreadable has no metadata any more.
        dropped = {path for name, path in metadata if wanted[name].metadata is None}
        findings.found += (f for f in found_in_ruby.found if f.path not in dropped)
        metadata_files = {name: found.metadata for name, found in wanted.items() if found.metadata}
        # Files that were evaluated have already reported their syntax errors.
        evaluated = {path for path in metadata_files.values() if path.suffix == ".rb"}
        files = [file for found in wanted.values() for file in found.files]
        uses: Mapping[Path, tuple[Use, ...]] = {}
        with ruby_needed(manifest.path, findings):
            unchecked = (file for file in files if file.source not in evaluated)
            uses = check_syntax(unchecked, cache(), findings)
        cookbooks = read_cookbooks(manifest, wanted, sources, findings)
        repository = cls(
            cookbooks=tuple(cookbooks.values()),
            roles=read_objects("role", roles, sources, findings),
            environments=read_objects("environment", environments, sources, findings),
            data_bags=read_data_bags(manifest, findings),
            policy=read_policy(manifest, findings),
            uses={
                f"{cookbook.name}::{name}": uses.get(first.source, ())
                for cookbook in cookbooks.values()
                for name, (first, *_) in recipe_files(cookbook.files).items()
            },
        )
        _check_attributes(manifest, repository.policy, files, sources, findings)
        check_own(manifest, repository.roles, repository.environments, findings)
        check_members(manifest, repository.roles, repository.environments, findings)
        _warn_of_ipv6(manifest, repository.roles, findings)
        known = Known(
            cookbooks=cookbooks,
            cookbook_files=metadata_files,
            cookbook_names=_known_names(
                wanted, (c.name for c in manifest.cookbooks), (root / "cookbooks").glob("*")
            ),
            complete=complete,
            role_files=roles,
            environment_files=environments,
            role_names=_known_names(
                roles, (p.text for p in manifest.roles), (root / "roles").rglob("*")
            ),
            environment_names=_known_names(
                environments,
                (p.text for p in manifest.environments),
                (root / "environments").rglob("*"),
            ),
        )
        on_server = References(manifest, known, sources, findings, find_server).check(uses)
        found_all = tuple(dict.fromkeys(findings.found))
        return replace(repository, on_server=on_server), found_all

    def select(self, sections: Collection[str]) -> Repository:
        """The part that belongs to ``sections``; a policy belongs to the cookbooks."""
        return replace(
            self,
            cookbooks=self.cookbooks if "cookbooks" in sections else (),
            policy=self.policy if "cookbooks" in sections else None,
            environments=self.environments if "environments" in sections else {},
            roles=self.roles if "roles" in sections else {},
            data_bags=self.data_bags if "data bags" in sections else (),
        )

    def digest(self, manifest: Manifest) -> str:
        """The checksums of a deploy's inputs, a line each: SHA-256 in hex, two blanks, its name.

        Versions of Debian packages that the repository does not name are no inputs: stackcook's
        recipes keep what is installed. Raises OSError if the manifest can't be read.
        """
        certificates = manifest.tls.files if manifest.tls else ()
        inputs: dict[str, Any] = {
            "stackcook": __version__,
            "manifest": _sha256(manifest.path.read_bytes()),
            "nodes": {node.name: [str(node.ssh_place), *node.run_list] for node in manifest.nodes},
            "certificates": [_sha256(file.read_bytes()) for file in certificates if file.is_file()],
        }
        for cookbook in self.cookbooks:
            files = {file.path: file.md5 for file in cookbook.files}
            inputs[f"cookbook {cookbook.name}"] = [dict(cookbook.metadata), files]
        for bag in self.data_bags:
            if not bag.generated:  # a result of the first deploy, not an input
                inputs[f"data bag {bag.name}"] = [dict(bag.items), bag.secret]
        inputs.update((f"role {name}", role) for name, role in self.roles.items())
        inputs.update((f"environment {name}", its) for name, its in self.environments.items())
        if self.policy:
            inputs[self.policy.label] = self.policy.document
        texts = {name: json.dumps(inputs[name], sort_keys=True) for name in sorted(inputs)}
        return "\n".join(f"{_sha256(text.encode())}  {name}" for name, text in texts.items())

    def recipes_to_prepare(self, nodes: Iterable[Node]) -> Mapping[str, tuple[str, ...]]:
        """Node → its recipes that need no other node, so that they can run before its stage.

        They are in the run list's order; nodes without any are left out.
        """
        known = {recipe for cookbook in self.cookbooks for recipe in cookbook.recipes}

        @functools.cache
        def recipes(run_list: tuple[str, ...], environment: str) -> tuple[str, ...]:
            names = recipes_of(run_list, environment, self.roles)
            wanted = (full_name(name) + PACKAGES_SUFFIX for name in names)
            return tuple(dict.fromkeys(recipe for recipe in wanted if recipe in known))

        found = {node.name: recipes(node.run_list, node.environment) for node in nodes}
        return {name: wanted for name, wanted in found.items() if wanted}

    def packages(self, nodes: Iterable[Node], *, certain: bool = True) -> Mapping[str, Packages]:
        """Node → the packages that its recipes name; nodes without any are left out.

        Those in conditions only if ``certain`` is false.
        """

        @functools.cache
        def packages(run_list: tuple[str, ...], environment: str) -> Packages:
            recipes = recipes_of(run_list, environment, self.roles)
            return packages_of(recipes, self.uses, certain=certain)

        found = {node.name: packages(node.run_list, node.environment) for node in nodes}
        return {name: named for name, named in found.items() if named}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _check_attributes(
    manifest: Manifest,
    policy: PolicyLock | None,
    files: Iterable[CookbookFile],
    sources: Sources,
    findings: Findings,
) -> None:
    """Check the attributes of roles and environments, of the policy, and of nodes.

    ``files`` are those of the cookbooks; ``sources`` has the roles and environments.
    """
    locked = policy.artifacts.values() if policy else ()
    files = (*files, *(file for cookbook in locked for file in cookbook.files))
    check = AttributeCheck(declared_attributes(files, findings), findings)
    for path, values in sources.values.items():
        check.check_file(path, values, sources)
    if policy and manifest.policy:
        check.check_file(manifest.policy.lock, policy.document, sources)
    check.check_nodes(manifest)


def _warn_of_ipv6(manifest: Manifest, roles: Mapping[str, Object], findings: Findings) -> None:
    """Warn of controllers that the other nodes would reach by IPv6: the cookbooks cannot."""
    for node in manifest.nodes:
        if node.address is None or node.address.version == 4:
            continue
        recipes = recipes_of(node.run_list, node.environment, roles)
        if any(re.fullmatch("openstack-.*::controller", recipe) for recipe in recipes):
            what = f"node {node.name}: controllers need an IPv4 address, but its address is"
            remedy = "set `address` to its IPv4 address, and `ssh_address` to this one"
            findings.warning(manifest.path, node.at, f"{what} {node.address}", remedy)


def _known_names(found: Collection[str], listed: Iterable[str], there: Iterable[Path]) -> set[str]:
    """The names that a section of the manifest makes known, so that one mistake is reported once.

    A name that is ``listed`` and not found may be a misspelling of any file that is ``there``.
    """
    names = {PurePath(name).name for name in listed if not is_glob(name)}
    meant = {path.stem for path in there} if names - set(found) else set()
    return {*found, *names, *meant}


def parse_sections(words: Iterable[str]) -> tuple[str, ...]:
    """The sections named by ``--only``, such as ``data-bags,roles``; without words, all of them.

    Raises UsageError for an unknown section, and for words that name none.
    """
    given = [*words]
    wanted = [part.strip() for word in given for part in word.split(",") if part.strip()]
    if given and not wanted:  # such as an empty variable of a shell: not all sections
        remedy = f"use one of {', '.join(SECTIONS)}"
        raise UsageError("no section is named", where="--only", remedy=remedy)
    named = {part: part.lower().replace("_", " ").replace("-", " ") for part in wanted}
    for part, name in named.items():
        if name not in SECTIONS:
            remedy = suggestion(name, SECTIONS, f"use one of {', '.join(SECTIONS)}")
            raise UsageError(f'unknown section "{part}"', where="--only", remedy=remedy)
    return tuple(name for name in SECTIONS if not named or name in named.values())
