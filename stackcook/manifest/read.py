"""Document → Manifest: every finding at once, none stops the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from stackcook.errors import Finding, Position
from stackcook.manifest import nodes, sections
from stackcook.manifest.addresses import check_addresses
from stackcook.manifest.document import Scalar, Value, parse
from stackcook.manifest.model import MachineKind, Manifest, Node
from stackcook.manifest.options import Options
from stackcook.manifest.settings import Settings, read_settings, stage
from stackcook.manifest.shapes import Fields, Shapes, suggest

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

T = TypeVar("T")


def read(path: Path) -> tuple[Manifest | None, tuple[Finding, ...]]:
    """The manifest at ``path`` and all that is wrong with it, in the order of its lines.

    The manifest is ``None`` where the file can't be read or isn't YAML; otherwise it holds all
    that could be made sense of, so that the Chef repository can be looked at as well.
    """
    path = path.absolute()
    if path.suffix == ".rb":
        remedy = "write it as YAML; `spiceweasel --extractyaml` makes one from the repository"
        return None, (Finding(path, None, "manifests in Ruby aren't read", remedy),)
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        return None, (Finding(path, None, what.lower(), "name the manifest with -f FILE"),)
    document, findings = parse(path, content)
    if document is None:
        return None, findings
    shapes = Shapes(path)
    manifest = _manifest(shapes, document)
    found = (*findings, *shapes.findings)
    return manifest, tuple(sorted(found, key=lambda finding: finding.position or Position(0, 0)))


def _manifest(shapes: Shapes, document: Value) -> Manifest:
    if isinstance(document, Scalar) and document.null:
        shapes.error(document.at, "the manifest is empty", "see docs/manifest.md for an example")
    fields = shapes.fields(document, "the manifest", SECTIONS)
    _note_unsupported(shapes, fields)

    def section(name: str, take: Callable[[Shapes, Value], T], default: T) -> T:
        return take(shapes, fields[name][1]) if name in fields else default

    settings = read_settings(shapes, *fields["stackcook"]) if "stackcook" in fields else Settings()
    common = section("options", lambda s, value: nodes.read_options(s, value, "options"), Options())
    none: Iterator[nodes.Entry] = iter(())
    listed = (*section("nodes", nodes.entries, none), *section("clusters", nodes.clusters, none))
    built = nodes.build(shapes, listed, common, settings)
    _check_settings(shapes, settings, built)
    check_addresses(shapes, settings, built)
    return Manifest(
        path=shapes.path,
        name=settings.name,
        cookbooks=section("cookbooks", sections.cookbooks, ()),
        environments=section("environments", sections.environments, ()),
        roles=section("roles", sections.roles, ()),
        data_bags=section("data bags", sections.data_bags, ()),
        nodes=built,
        machines=settings.machines,
        provider=settings.provider,
        network=settings.network,
        stages=tuple(stage(roles) for roles in settings.stages),
        chef_server=settings.chef_server,
        server_address=settings.server_address,
        passwords=settings.passwords,
    )


def _note_unsupported(shapes: Shapes, fields: Fields) -> None:
    """Note sections of spiceweasel's that are read and left at that."""
    if "berksfile" in fields:
        remedy = "run `berks vendor cookbooks` and list the cookbooks"
        shapes.error(fields["berksfile"][0].at, "Berkshelf isn't supported", remedy)
    if "knife" in fields:
        what = "the commands of section knife are not run"
        shapes.warning(fields["knife"][0].at, what, "run them after `stackcook deploy`")


def _check_settings(shapes: Shapes, settings: Settings, built: tuple[Node, ...]) -> None:
    """Note what section ``stackcook`` and the nodes don't agree on."""
    unplaced = next((node for node in built if node.address is None), None)
    if unplaced and settings.at is None:
        remedy = "say in it how machines come up, and their addresses: docs/manifest.md"
        shapes.error(unplaced.at, "there is no section stackcook", remedy)
    keyless = next((node for node in built if node.key is None), None)
    if settings.machines is MachineKind.SSH and keyless:
        seat = settings.seats.get(keyless.name)
        at = seat.at if seat else keyless.at
        what = f"node {keyless.name} has no key, and there is none in ~/.ssh"
        shapes.error(at, what, f"give its key in stackcook: nodes: {keyless.name}")
    if settings.machines is MachineKind.SSH and settings.provider:
        shapes.warning(settings.at, "stackcook: provider has no effect", "remove it")
    roles = {role for node in built for role in node.roles}
    for role in (role for roles_ in settings.stages for role in roles_):
        if role.text not in roles:
            what = f'stackcook: stages: no node has the role "{role.text}" in its run list'
            shapes.warning(role.at, what, suggest(role.text, roles))
