"""A Policyfile's lock: read, and checked against the cookbooks on disk.

Facts of the format (chef-cli 5): a cookbook's identifier is the SHA-1 of lines ``path:MD5`` of its
files, sorted; the revision is the SHA-256 of a text with name, run lists, identifiers and
attributes. ``chef-cli export`` puts cookbooks into ``cookbook_artifacts/NAME-IDENTIFIER`` beside
the lock, with metadata.json made anew, so that the identifier can't be checked there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackcook.chef.objects.chefignore import Chefignore
from stackcook.chef.objects.cookbook import Cookbook, CookbookFile, read_files
from stackcook.chef.loader import load
from stackcook.chef.loader.findings import Findings
from stackcook.chef.loader.ruby import Kind, Source
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
_WORDS: Mapping[type[Any], str] = {str: "a text", list: "a list", dict: "a map"}
_EXPORTED = "cookbook_artifacts"
_METADATA = ("metadata.json", "metadata.rb")  # the first of them counts
_AGAIN = "write the lock anew with `chef-cli update`"


@dataclass(frozen=True)
class PolicyLock:
    """A policy in its group: the lock as it is, and identifier → cookbook that it locks."""

    name: str
    group: str
    document: Mapping[str, Any]
    artifacts: Mapping[str, Cookbook]

    @property
    def label(self) -> str:
        """What it is called where changes are told."""
        return f"policy {self.name} of group {self.group}"


def read_policy(manifest: Manifest, findings: Findings) -> PolicyLock | None:
    """The policy that the manifest names; ``None`` without one, or with what is wrong noted."""
    wanted = manifest.policy
    if wanted is None:
        return None
    before = len(findings.found)
    document = load.read_json(wanted.lock, findings)
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
    _note_others(manifest, policy, findings)
    return policy


def _note_others(manifest: Manifest, policy: PolicyLock, findings: Findings) -> None:
    """Warn of nodes with a policy that this manifest doesn't bring; a server may have it."""
    others: dict[Position, Node] = {}  # one finding for all nodes of an entry
    ours = (policy.name, policy.group)
    for node in manifest.nodes:
        if node.policy_name and (node.policy_name, node.policy_group) != ours:
            others.setdefault(node.at, node)
    for at, node in others.items():
        what = f"{node.name}: policy {node.policy_name} of group {node.policy_group}"
        what += f" is not {policy.label}, which the manifest brings"
        findings.warning(manifest.path, at, what, "see that the Chef server has it")


@dataclass(frozen=True)
class _Lock:
    """The lock's file and what it says, as far as it has been looked at."""

    path: Path
    document: Mapping[str, Any]
    findings: Findings
    _places: load.Sources = field(default_factory=load.Sources)

    def wrong(self, what: str, *keys: str | int, remedy: str = _AGAIN) -> None:
        """Note what is wrong where ``keys`` lead to."""
        at = self._places.place(self.path, *keys) if keys else None
        self.findings.error(self.path, at, what, remedy)

    def check_form(self) -> bool:
        """Whether the lock has what a server asks for."""
        before = len(self.findings.found)
        for key, kind in _FIELDS.items():
            if key not in self.document:
                self.wrong(f"the lock has no {key}")
            elif not isinstance(self.document[key], kind):
                self.wrong(f"{key} is not {_WORDS[kind]}", key)
        if not isinstance(self.document.get("named_run_lists", {}), dict):
            self.wrong("named_run_lists is not a map", "named_run_lists")
        if len(self.findings.found) > before:
            return False
        for key in ("name", "revision_id"):
            if not _NAME.fullmatch(self.document[key]):
                self.wrong(f"{key} is not letters, digits, `_`, `.`, `:` and `-`", key)
        locks = self.document["cookbook_locks"]
        for name, lock in locks.items():
            identifier = lock.get("identifier") if isinstance(lock, dict) else None
            if not isinstance(identifier, str) or not _NAME.fullmatch(identifier):
                self.wrong(f"cookbook {name} has no identifier", "cookbook_locks", name)
        for index, entry in enumerate(self.document["run_list"]):
            match = _RECIPE.fullmatch(str(entry))
            if not match:
                self.wrong(f'"{entry}" is not recipe[COOKBOOK::RECIPE]', "run_list", index)
            elif match[1] not in locks:
                self.wrong(f"cookbook {match[1]} is not locked", "run_list", index)
        return len(self.findings.found) == before

    def check_revision(self) -> None:
        """A server takes a revision that it knows for what it knows: it wouldn't see an edit."""
        if revision(self.document) != self.document["revision_id"]:
            self.wrong("the revision_id is not that of what the lock says", "revision_id")

    def cookbooks(self, manifest: Manifest) -> dict[str, Cookbook]:
        """Identifier → cookbook, of those that are here and as they were locked."""
        locks = self.document["cookbook_locks"]
        found = {}
        for name, lock in locks.items():
            directory = self._directory(name, lock)
            files = self._files(directory) if directory else None
            if directory is None or files is None:
                continue
            exported = directory.parent.name == _EXPORTED
            if not exported and identifier(files) != lock["identifier"]:
                what = f"{directory} is not what it was when {name} was locked"
                self.wrong(what, "cookbook_locks", name)
            metadata = [file.source for file in files if file.path in _METADATA]
            if not metadata:
                self.findings.error(directory, None, "the cookbook has no metadata.rb", "write one")
            found[name] = read.Found(directory, None, min(metadata, default=None), files)
        evaluated = [Source(Kind.METADATA, one.metadata) for one in found.values() if one.metadata]
        sources = load.Sources.load(evaluated, manifest.path, self.findings)
        cookbooks = read.read_cookbooks(manifest, found, sources, self.findings)
        return {locks[name]["identifier"]: cookbook for name, cookbook in cookbooks.items()}

    def _directory(self, name: str, lock: Mapping[str, Any]) -> Path | None:
        """Where the locked cookbook is: exported, or where the Policyfile's source says."""
        exported = self.path.parent / _EXPORTED / f"{name}-{lock['identifier']}"
        if exported.is_dir():
            return exported
        source = lock.get("source")
        if lock.get("cache_key") is not None or not isinstance(source, str):
            what = f"cookbook {name} does not come from a directory here"
            remedy = (
                "put it into one with `chef-cli export` and name the Policyfile.lock.json there"
            )
            self.wrong(what, "cookbook_locks", name, remedy=remedy)
            return None
        directory = (self.path.parent / source).resolve()
        if not directory.is_dir():
            self.wrong(f"there is no cookbook {name} in {directory}", "cookbook_locks", name)
            return None
        return directory

    def _files(self, directory: Path) -> tuple[CookbookFile, ...] | None:
        try:
            return read_files(directory, Chefignore.find(directory))
        except (OSError, UnicodeDecodeError) as error:
            what = f"can't be read: {error}"
            self.findings.error(directory, None, what, "correct the file's permission")
            return None


def revision(document: Mapping[str, Any]) -> str:
    """The revision_id that belongs to what a lock says."""
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
        return f'"{value}"'  # nothing escaped: it is no JSON
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def identifier(files: tuple[CookbookFile, ...]) -> str:
    """What Chef calls a cookbook of these files."""
    lines = sorted((file.path, file.md5) for file in files)
    text = "".join(f"{path}:{md5}\n" for path, md5 in lines)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
