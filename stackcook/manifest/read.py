"""Document → Manifest: every finding at once, none stops the next."""

from __future__ import annotations

import gc
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from stackcook.errors import Finding, Position
from stackcook.manifest import entries, sections
from stackcook.manifest.addresses import check_addresses
from stackcook.manifest.document import Scalar, Value, parse
from stackcook.manifest.entries import Common
from stackcook.manifest.model import DEFAULT_PASSWORDS, Cookbook, MachineKind, Manifest, Node
from stackcook.manifest.nodes import build
from stackcook.manifest.settings import Settings, read_settings, stage
from stackcook.manifest.shapes import Shapes, suggest

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

T = TypeVar("T")


def read(path: Path) -> tuple[Manifest | None, tuple[Finding, ...]]:
    """The manifest at ``path`` and all that is wrong with it, in the order of its lines.

    The manifest is ``None`` where the file can't be read or isn't YAML; otherwise it holds all
    that could be made sense of, so that the Chef repository can be looked at as well.
    """
    path = path.absolute()
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        remedy = "name the manifest with -f FILE"
        if isinstance(error, FileNotFoundError):
            remedy += ", or write one with `stackcook init`"
        return None, (Finding(path, None, what.lower(), remedy),)
    if path.suffix == ".rb":
        names = (shlex.quote(name) for name in (path.name, f"{path.stem}.json"))
        remedy = f"convert it, and take what that makes: {TO_JSON} {' > '.join(names)}"
        return None, (Finding(path, None, "a manifest in Ruby isn't read", remedy),)
    shapes = Shapes(path)
    with _no_collection():
        document, findings = parse(path, content)
        if document is None:
            return None, findings
        manifest = _manifest(shapes, document)
    found = (*findings, *shapes.findings)
    return manifest, tuple(sorted(found, key=lambda finding: finding.position or Position(0, 0)))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the search for garbage: half of the time for 10,000 nodes, and there is none.

    What was made meanwhile counts as old: else the next search begins at once, with all of it.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.freeze()
            gc.unfreeze()
            gc.enable()


def _manifest(shapes: Shapes, document: Value) -> Manifest:
    if isinstance(document, Scalar) and document.null:
        shapes.error(document.at, "the manifest is empty", "see docs/manifest.md for an example")
    fields = shapes.fields(document, "the manifest", SECTIONS)

    def section(name: str, take: Callable[[Shapes, Value], T], default: T) -> T:
        return take(shapes, fields[name][1]) if name in fields else default

    settings = read_settings(shapes, *fields["stackcook"]) if "stackcook" in fields else Settings()
    common = section("options", entries.common, Common())
    listed = tuple(entries.listed(shapes, fields, settings.seats))
    built = build(shapes, listed, common, settings)
    _check_settings(shapes, settings, built)
    check_addresses(shapes, settings, built)
    berksfile = fields.get("berksfile")
    cookbooks: tuple[Cookbook, ...] = section("cookbooks", sections.cookbooks, ())
    return Manifest(
        path=shapes.path,
        name=settings.name,
        berksfile=berksfile and sections.berksfile(shapes, berksfile[1], berksfile[0].at),
        cookbooks=cookbooks,
        environments=section("environments", sections.environments, ()),
        roles=section("roles", sections.roles, ()),
        data_bags=section("data bags", sections.data_bags, ()),
        nodes=built,
        groups=tuple(entry.group for entry in listed),
        options=common.text,
        knife=section("knife", sections.knife, ()),
        policy=settings.policy,
        machines=settings.machines,
        provider=settings.provider,
        network=settings.network,
        stages=tuple(stage(roles) for roles in settings.stages),
        bootstrap=settings.bootstrap,
        failure_budget=settings.failure_budget,
        chef_server=settings.chef_server,
        server_address=settings.server_address,
        passwords=_passwords(settings, cookbooks),
    )


def _passwords(settings: Settings, cookbooks: Iterable[Cookbook]) -> Mapping[str, tuple[str, ...]]:
    """Those that the manifest names, else those that OpenStack's cookbooks need, if it has them."""
    if settings.passwords is not None:
        return settings.passwords
    ours = any(cookbook.name.startswith("openstack-") for cookbook in cookbooks)
    return DEFAULT_PASSWORDS if ours else {}


def _check_settings(shapes: Shapes, settings: Settings, built: tuple[Node, ...]) -> None:
    """Note what section ``stackcook`` and the nodes don't agree on."""
    if settings.machines is MachineKind.SSH:
        _check_keys(shapes, settings, built)
        if settings.provider:
            shapes.warning(settings.at, "stackcook: provider has no effect", "remove it")
    roles = {role for node in built for role in node.roles}
    for role in (role for roles_ in settings.stages for role in roles_):
        if role.text not in roles:
            what = f'stackcook: stages: no node has the role "{role.text}" in its run list'
            shapes.warning(role.at, what, suggest(role.text, roles))
    for budget in settings.failure_budget:
        if budget.role not in roles:
            what = f'stackcook: failure_budget: no node has the role "{budget.role}"'
            shapes.warning(budget.at, what, suggest(budget.role, roles))


def _check_keys(shapes: Shapes, settings: Settings, built: tuple[Node, ...]) -> None:
    """Note once, at the first of them, which hosts can't be logged in to."""
    keyless = [node for node in built if node.key is None and not node.provider]
    if not keyless:
        return
    first, *others = keyless
    seat = settings.seats.get(first.name)
    who = f"{first.name} and {len(others)} more have" if others else f"node {first.name} has"
    what = f"{who} no key, and there is none in ~/.ssh"
    if settings.at is None:  # what spiceweasel reads need not be deployed to be of use
        where = "the section `options`" if others else "its options"
        shapes.warning(first.at, what, f"give one with -i KEY in {where}")
    else:
        remedy = f"give its key in stackcook: nodes: {first.name}"
        shapes.error(seat.at if seat else first.at, what, remedy)
