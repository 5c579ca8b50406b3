"""Turns a document into a Manifest, and collects all findings instead of stopping at the first."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from stackcook.errors import Finding, Position
from stackcook.command import Runner
from stackcook.files import NOT_PERMITTED
from stackcook.manifest import sections
from stackcook.manifest.checks import (
    check,
    check_interfaces,
    check_virtual_addresses,
    check_zones,
)
from stackcook.manifest.document import Scalar, Value, parse
from stackcook.manifest.fields import FieldReader
from stackcook.manifest.inventory import check_groups, read_hosts
from stackcook.manifest.model import DEFAULT_PASSWORDS, Inventory, Manifest, Stage
from stackcook.manifest.nodes import read_nodes
from stackcook.manifest.settings import Settings, read_settings

SECTIONS = (
    "berksfile",
    "cookbooks",
    "environments",
    "roles",
    "data bags",
    "nodes",
    "clusters",
    "options",
    "knife",
    "stackcook",
)
TO_JSON = "ruby -rjson -e 'puts JSON.pretty_generate(eval(File.read(ARGV[0]), binding, ARGV[0]))'"
"""The command that prints a manifest in Ruby as JSON; the file's name comes after it."""

MOST_ALIKE = 3
"""Findings at one place that differ only in numbers; more of them are shown as one."""

T = TypeVar("T")


def read(path: Path, run: Runner | None = None) -> tuple[Manifest | None, tuple[Finding, ...]]:
    """The manifest at ``path`` and all findings, in the order of its lines.

    ``run`` runs the command of an inventory. Without it, such a command is an error and its nodes
    are missing.

    The manifest is ``None`` where the file can't be read or isn't YAML; otherwise it holds all
    that is right, so that the Chef repository can be checked as well.
    """
    path = path.absolute()
    try:
        str(path).encode()
    except UnicodeEncodeError:  # Chef's files, and the record of runs, could not name it
        what, remedy = (
            f"its path {path} is not UTF-8",
            "rename the file, or the directory that it is in",
        )
        return None, (Finding(path, None, what, remedy),)
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        remedy = "name the manifest with -f FILE"
        if isinstance(error, FileNotFoundError):
            remedy += ", or write one with `stackcook init`"
        elif isinstance(error, PermissionError):
            remedy = NOT_PERMITTED
        return None, (Finding(path, None, what.lower(), remedy),)
    if path.suffix == ".rb":
        names = (shlex.quote(name) for name in (path.name, f"{path.stem}.json"))
        remedy = f"convert it to JSON: {TO_JSON} {' > '.join(names)}"
        return None, (Finding(path, None, "manifests in Ruby are not supported", remedy),)
    document, findings = parse(path, content)
    if document is None:
        return None, findings
    reader = FieldReader(path)
    manifest = _manifest(reader, document, run)
    check_zones(reader, manifest)
    check_virtual_addresses(reader, manifest)

    def place(finding: Finding) -> tuple[bool, Position]:
        return finding.path != path, finding.position or Position(0, 0)

    return manifest, tuple(sorted((*findings, *_fewer(reader.findings)), key=place))


def _fewer(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings; of many at one place that differ only in numbers, the first stands for all.

    Such are those about the nodes of a range.
    """
    alike: dict[object, list[Finding]] = {}
    for finding in findings:
        words = re.sub(r"\d+", "0", finding.what)
        key = (finding.path, finding.position, finding.severity, words)
        alike.setdefault(key, []).append(finding)
    for first, *others in alike.values():
        if len(others) < MOST_ALIKE:
            yield from (first, *others)
        else:
            yield replace(first, what=f"{first.what} (and {len(others)} more)")


def _manifest(reader: FieldReader, document: Value, run: Runner | None) -> Manifest:
    example = "see docs/manifest.md for an example"
    if isinstance(document, Scalar) and document.null:
        reader.error(document.at, "the manifest is empty", example)
    fields = reader.fields(document, "the manifest", SECTIONS, example)

    def section(
        name: str, read: Callable[[FieldReader, Value, str], tuple[T, ...]]
    ) -> tuple[T, ...]:
        return read(reader, fields[name][1], name) if name in fields else ()

    settings = read_settings(reader, *fields["stackcook"]) if "stackcook" in fields else Settings()
    source = settings.inventory
    hosts = read_hosts(reader, source, run) if source else None
    if source and hosts:
        check_groups(reader, source, hosts)
    nodes, groups, options, given = read_nodes(reader, fields, settings, hosts)
    settings = replace(settings, nodes={**settings.nodes, **given})
    check(reader, settings, nodes)
    berksfile = fields.get("berksfile")
    cookbooks = section("cookbooks", sections.cookbooks)
    check_interfaces(reader, settings, nodes, cookbooks, berksfile is not None)
    passwords = settings.passwords
    if passwords is None:
        openstack = any(cookbook.name.startswith("openstack-") for cookbook in cookbooks)
        passwords = DEFAULT_PASSWORDS if openstack else {}
    stages = (tuple(role.text for role in roles) for roles in settings.stages)
    return Manifest(
        path=reader.path,
        name=settings.name,
        berksfile=berksfile and sections.berksfile(reader, berksfile[1], berksfile[0].at),
        cookbooks=cookbooks,
        environments=section("environments", sections.patterns),
        roles=section("roles", sections.patterns),
        data_bags=section("data bags", sections.data_bags),
        nodes=nodes,
        groups=groups,
        options=options,
        inventory=Inventory(str(source), tuple(given), hosts is not None) if source else None,
        knife=section("knife", sections.knife),
        policy=settings.policy,
        verify=settings.verify,
        firewall=settings.firewall,
        os_cloud=settings.os_cloud or "stackcook",
        machines=settings.machines,
        provider=settings.provider,
        network=settings.network,
        external_network=settings.external_network,
        external_interface=settings.external_interface,
        stages=tuple(Stage("+".join(names), names) for names in stages),
        bootstrap=settings.bootstrap,
        failure_budget=settings.failure_budget,
        chef_server=settings.chef_server,
        client=settings.client,
        timer=settings.timer,
        server_address=settings.server_address,
        server_port=settings.server_port,
        passwords=passwords,
        snapshots_of=settings.snapshots_of,
        tls=settings.tls,
        virtual_addresses=settings.virtual_addresses,
    )
