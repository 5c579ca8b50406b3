"""Reads a Policyfile's lock and checks it against the cookbooks on disk.

The format (chef-cli 5): a cookbook's identifier is the SHA-1 of lines ``path:MD5`` of its
files, sorted; the revision is the SHA-256 of a text with name, run lists, identifiers and
attributes. ``chef-cli export`` puts cookbooks into ``cookbook_artifacts/NAME-IDENTIFIER`` beside
the lock with a new metadata.json, so that the identifier can't be checked there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackcook.chef.loader.findings import Findings
from stackcook.chef.loader.ruby import Kind, Source
from stackcook.chef.loader.sources import Sources, read_json
from stackcook.chef.objects.cookbook import Cookbook, CookbookFile
from stackcook.chef.repository import read
from stackcook.errors import Position
from stackcook.manifest.model import Manifest, Node

_NAME = re.compile(r"[\w.:-]{1,255}", re.ASCII)
_RECIPE = re.compile(r"recipe\[([^:\s\]]+)::[^:\s\]]+\]")
_FIELDS: Mapping[str, type[Any]] = {
    "name": str,
    "revision_id": str,
    "run_list": list,
    "cookbook_locks": dict,
    "default_attributes": dict,
    "override_attributes": dict,
}
_NOUNS: Mapping[type[Any], str] = {str: "a string", list: "a list", dict: "a map"}
_EXPORTED = "cookbook_artifacts"
_METADATA = ("metadata.json", "metadata.rb")  # the first one is used
_UPDATE = "update the lock with `chef-cli update`"


@dataclass(frozen=True)
class PolicyLock:
    """A policy in its group: the lock's JSON, and identifier → locked cookbook."""

    name: str
    group: str
    document: Mapping[str, Any]
    artifacts: Mapping[str, Cookbook]

    @property
    def label(self) -> str:
        """Its name in messages."""
        return f"policy {self.name} of group {self.group}"


def read_policy(manifest: Manifest, findings: Findings) -> PolicyLock | None:
    """The manifest's policy; ``None`` without one, or after adding findings if it is wrong."""
    wanted = manifest.policy
    if wanted is None:
        return None
    before = len(findings.found)
    document = read_json(wanted.lock, findings)
    if document is None:
        return None
    lock = _Lock(wanted.lock, document, findings)
    if not lock.check_form():
        return None
    lock.check_revision()
    cookbooks = lock.cookbooks(manifest)
    if len(findings.found) > before:
        return None
    policy = PolicyLock(document["name"], wanted.group, document, cookbooks)
    _check_nodes(manifest, policy, findings)
    return policy


def _check_nodes(manifest: Manifest, policy: PolicyLock, findings: Findings) -> None:
    """Warn of nodes with another policy, which only the server may have."""
    provided = (policy.name, policy.group)
    others: dict[Position, Node] = {}  # one finding for all nodes of an entry
    for node in manifest.nodes:
        if node.policy_name and (node.policy_name, node.policy_group) != provided:
            others.setdefault(node.at, node)
    for at, node in others.items():
        what = f"{node.name} uses policy {node.policy_name} of group {node.policy_group},"
        what += f" but the manifest provides {policy.label}"
        findings.warning(manifest.path, at, what, "make sure that the Chef server has it")


@dataclass(frozen=True)
class _Lock:
    """A lock's file and content, while it is checked."""

    path: Path
    document: Mapping[str, Any]
    findings: Findings
    _sources: Sources = field(default_factory=Sources)

    def error(self, what: str, *keys: str | int, remedy: str = _UPDATE) -> None:
        """Add an error at the path ``keys``."""
        at = self._sources.place(self.path, *keys) if keys else None
        self.findings.error(self.path, at, what, remedy)

    def check_form(self) -> bool:
        """Whether the lock has the form that servers require."""
        before = len(self.findings.found)
        for key, kind in _FIELDS.items():
            if key not in self.document:
                self.error(f"{key} is missing")
            elif not isinstance(self.document[key], kind):
                self.error(f"{key} is not {_NOUNS[kind]}", key)
        if not isinstance(self.document.get("named_run_lists", {}), dict):
            self.error("named_run_lists is not a map", "named_run_lists")
        if len(self.findings.found) > before:
            return False
        for key in ("name", "revision_id"):
            if not _NAME.fullmatch(self.document[key]):
                self.error(f"{key} contains characters other than letters, digits and `_.:-`", key)
        locks = self.document["cookbook_locks"]
        for name, lock in locks.items():
            identifier = lock.get("identifier") if isinstance(lock, dict) else None
            if not isinstance(identifier, str) or not _NAME.fullmatch(identifier):
                self.error(f"cookbook {name} has no identifier", "cookbook_locks", name)
        for index, entry in enumerate(self.document["run_list"]):
            match = _RECIPE.fullmatch(str(entry))
            if not match:
                self.error(f'"{entry}" is not recipe[COOKBOOK::RECIPE]', "run_list", index)
            elif match[1] not in locks:
                self.error(f"cookbook {match[1]} has no entry in cookbook_locks", "run_list", index)
        return len(self.findings.found) == before

    def check_revision(self) -> None:
        """A server ignores changes to a lock whose revision it already has."""
        if revision(self.document) != self.document["revision_id"]:
            self.error("the revision_id does not match the content of the lock", "revision_id")

    def cookbooks(self, manifest: Manifest) -> dict[str, Cookbook]:
        """Identifier → cookbook, of those that exist and have not changed since the lock."""
        locks = self.document["cookbook_locks"]
        found = {}
        for name, lock in locks.items():
            directory = self._directory(name, lock)
            files = read.files_of(directory, self.findings) if directory else None
            if directory is None or files is None:
                continue
            exported = directory.parent.name == _EXPORTED
            if not exported and identifier(files) != lock["identifier"]:
                what = f"{directory} has changed since {name} was locked"
                self.error(what, "cookbook_locks", name)
            metadata = [file.source for file in files if file.path in _METADATA]
            if not metadata:
                self.findings.error(
                    directory, None, "the cookbook has no metadata.rb", "create one"
                )
            found[name] = read.Found(directory, None, min(metadata, default=None), files)
        evaluated = [Source(Kind.METADATA, one.metadata) for one in found.values() if one.metadata]
        sources = Sources.load(evaluated, manifest.path, self.findings)
        cookbooks = read.read_cookbooks(manifest, found, sources, self.findings)
        return {locks[name]["identifier"]: cookbook for name, cookbook in cookbooks.items()}

    def _directory(self, name: str, lock: Mapping[str, Any]) -> Path | None:
        """The cookbook's directory: exported beside the lock, or the Policyfile's source."""
        exported = self.path.parent / _EXPORTED / f"{name}-{lock['identifier']}"
        if exported.is_dir():
            return exported
        source = lock.get("source")
        if lock.get("cache_key") is not None or not isinstance(source, str):
            what = f"cookbook {name} has no local directory"
            remedy = "run `chef-cli export DIRECTORY` and use the Policyfile.lock.json in it"
            self.error(what, "cookbook_locks", name, remedy=remedy)
            return None
        directory = (self.path.parent / source).resolve()
        if not directory.is_dir():
            self.error(f"cookbook {name} not found in {directory}", "cookbook_locks", name)
            return None
        return directory


def revision(document: Mapping[str, Any]) -> str:
    """The revision_id for the content of a lock."""
    lines = [f"name:{document['name']}"]
    lines += [f"run-list-item:{item}" for item in document["run_list"]]
    for name, run_list in document.get("named_run_lists", {}).items():
        lines += [f"named-run-list:{name};run-list-item:{item}" for item in run_list]
    for name, lock in sorted(document["cookbook_locks"].items()):
        lines.append(f"cookbook:{name};id:{lock['identifier']}")
    for key in ("default_attributes", "override_attributes"):
        lines.append(f"{key}:{_canonical(document[key])}")
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def _canonical(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f'"{k}":{_canonical(v)}' for k, v in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, str):
        return f'"{value}"'  # without escapes, unlike JSON
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def identifier(files: tuple[CookbookFile, ...]) -> str:
    """Chef's identifier of a cookbook with these files."""
    lines = sorted((file.path, file.md5) for file in files)
    text = "".join(f"{path}:{md5}\n" for path, md5 in lines)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
