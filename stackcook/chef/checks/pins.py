"""Versions that environments pin and clients that cookbooks ask for, against those there are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from stackcook.chef.checks.expansion import cookbooks_of
from stackcook.chef.checks.references import Known
from stackcook.chef.objects import metadata
from stackcook.chef.loader.findings import Findings
from stackcook.chef.loader.load import Sources
from stackcook.client import gems
from stackcook.manifest.model import Manifest


def check_pins(manifest: Manifest, known: Known, sources: Sources, findings: Findings) -> None:
    """Note each ``cookbook_versions`` of an environment that nothing here satisfies.

    It is an error where a node would be left without the cookbook: one of that environment whose
    run list comes to it. A Chef server of the user's own may have the version from before, though;
    then, and where no node needs it, it is a warning.
    """

    @cache
    def needed(environment: str) -> Mapping[str, str]:
        """Cookbook → the first node of that environment that needs it."""
        return _needed(manifest, environment, known, sources)

    for environment, path in known.environment_files.items():
        pins = sources.values.get(path, {}).get("cookbook_versions")
        for name, wanted in pins.items() if isinstance(pins, Mapping) else ():
            problem = _problem(name, wanted, known)
            if not problem:
                continue
            what, remedy = problem
            at = sources.place(path, "cookbook_versions", name)
            node = needed(environment).get(name)
            if remedy:
                findings.error(path, at, what, remedy)
            elif node and not manifest.chef_server:
                findings.error(path, at, what, f"change the pin, for {node} needs the cookbook")
            else:
                findings.warning(path, at, what, "nodes there get none of this repository")


def _problem(name: str, wanted: object, known: Known) -> tuple[str, str] | None:
    """What is wrong with a pin, and what is sure to be right; the latter may be empty."""
    try:
        constraint = metadata.pin(wanted)
    except ValueError as error:
        return f"{name}: {error}", 'write it as "~> 1.2"'
    cookbook = known.cookbooks.get(name)
    if cookbook and not metadata.satisfies(cookbook.version, constraint):
        return f"{name} {constraint} is wanted, but cookbooks/ has {cookbook.version}", ""
    if known.lacks(name):
        what = f'{name} {constraint} is wanted, but there is no cookbook "{name}" in the manifest'
        return what, ""
    return None


def _needed(
    manifest: Manifest, environment: str, known: Known, sources: Sources
) -> Mapping[str, str]:
    roles: dict[str, Mapping[str, Any]] = {
        name: sources.values.get(path, {}) for name, path in known.role_files.items()
    }
    dependencies = {name: cookbook.dependencies for name, cookbook in known.cookbooks.items()}
    users: dict[tuple[str, ...], str] = {}
    for node in manifest.nodes:
        if node.environment == environment:
            users.setdefault(node.run_list, node.name)
    found: dict[str, str] = {}
    for run_list, node_name in users.items():
        for name in cookbooks_of(run_list, environment, roles, dependencies):
            found.setdefault(name, node_name)
    return found


def check_client(known: Known, sources: Sources, findings: Findings) -> None:
    """Warn of cookbooks whose ``chef_version`` leaves out the client that nodes get."""
    client = gems()["chef"]
    for name, cookbook in known.cookbooks.items():
        wanted = cookbook.metadata["chef_versions"]
        if not metadata.suits(client, wanted):
            path = known.cookbook_files[name]
            asked = " or ".join(", ".join(each) for each in wanted)
            what = f"it asks for Chef {asked}, but nodes get {client}"
            at = sources.place(path, "chef_versions")
            findings.warning(path, at, what, "use a version of the cookbook that takes this client")
