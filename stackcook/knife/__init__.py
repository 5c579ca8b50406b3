"""The commands of knife (and Vagrant) for a manifest, as spiceweasel 2.8 prints them.

They are only printed; ``stackcook deploy`` doesn't run them. docs/spiceweasel.md lists what differs
from spiceweasel.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from stackcook.knife import objects
from stackcook.knife.files import Files
from stackcook.knife.nodes import Entry, entries, forget
from stackcook.knife.objects import Commands
from stackcook.manifest.model import MachineKind, Manifest


@dataclass(frozen=True)
class Form:
    """Which commands to print, for which sections and nodes (``None``: all).

    ``node_only`` creates node objects and no machines; ``chef_client`` converges existing nodes.
    """

    sections: Collection[str]
    nodes: Collection[str] | None = None
    create: bool = True
    delete: bool = False
    parallel: bool = False
    node_only: bool = False
    chef_client: bool = False


def commands(manifest: Manifest, files: Files, form: Form) -> tuple[str, ...]:
    """The commands. Those that delete come first; each section before those that it refers to."""
    made = [*entries(manifest, form.nodes)]
    nodes = [entry for entry in made if not entry.group.cluster]
    clusters = [entry for entry in made if entry.group.cluster]
    if form.chef_client:
        sections = {"nodes": _converge(nodes), "clusters": _converge(clusters)}
    else:
        sections = {
            "cookbooks": objects.cookbooks(manifest, files),
            "environments": objects.named("environment", files.environments),
            "roles": objects.named("role", files.roles),
            "data bags": objects.data_bags(manifest, files),
            "nodes": _nodes(manifest, files, form, nodes),
            "clusters": _clusters(manifest, files, form, clusters),
            "knife": Commands(objects.knife(manifest)),
        }
    wanted = [part for name, part in sections.items() if name in form.sections]
    deleted = [command for part in wanted[::-1] for command in part.delete if form.delete]
    created = [command for part in wanted for command in part.create if form.create]
    return (*deleted, *created)


def _converge(wanted: Iterable[Entry]) -> Commands:
    return Commands(tuple(command for entry in wanted for command in entry.converge()))


def _nodes(manifest: Manifest, files: Files, form: Form, wanted: list[Entry]) -> Commands:
    """The machines of some entries, Vagrant's first, and the nodes on the Chef server."""
    create: list[str] = []
    delete: list[str] = []
    names = [machine.node.name for e in wanted if not e.group.provider for machine in e.machines]
    if names and manifest.machines is MachineKind.VAGRANT and not form.node_only:
        create.append(objects.line("vagrant up", *names))
        delete.append(objects.line("vagrant destroy -f", *names))
    for entry in wanted:
        create += _create(files, form, entry)
        if not entry.nameless:
            for machine in entry.machines:
                delete += forget(machine.node) if form.node_only else entry.deletion(machine)
    return Commands(tuple(create), tuple(delete))


def _create(files: Files, form: Form, entry: Entry) -> Iterator[str]:
    if form.node_only:
        if not entry.nameless:
            yield from _node_objects(files, entry)
        return
    if form.parallel and entry.group.count:
        yield entry.in_parallel()
    else:
        yield from map(entry.command, entry.machines)
    yield from entry.group.additional_commands


def _node_objects(files: Files, entry: Entry) -> Iterator[str]:
    for machine in entry.machines:
        name = machine.node.name
        exists = name in files.nodes
        yield f"knife node from file {name}.json" if exists else f"knife node create -d {name}"
        if run_list := ",".join(entry.group.run_list):
            yield f"knife node run_list set {name} '{run_list}'"


def _clusters(manifest: Manifest, files: Files, form: Form, wanted: list[Entry]) -> Commands:
    """As nodes; but unless some are chosen, all nodes of a cluster's environment are deleted."""
    create: list[str] = []
    delete: list[str] = []
    for cluster, members in groupby(wanted, key=lambda entry: entry.group.cluster):
        part = _nodes(manifest, files, form, [*members])
        create += part.create
        if form.nodes is not None:
            delete += part.delete
            continue
        delete += (c for c in part.delete if not c.startswith(("knife node ", "knife client ")))
        delete.append(
            f"for N in $(knife node list -E {cluster}); "
            "do knife client delete $N -y; knife node delete $N -y; done"
        )
    return Commands(tuple(create), tuple(delete))
