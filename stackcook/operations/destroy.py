"""``destroy``: deletes the machines, their objects on the Chef server, and all local state."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from stackcook.bootstrap.providers import WINDOWS
from stackcook.errors import ExitCode
from stackcook.machines.base import ABSENT
from stackcook.manifest.model import MachineKind, Manifest, Node
from stackcook.operations.shared import Facts
from stackcook.operations.runner import Settings, run
from stackcook.run.events import Listener
from stackcook.run.executor import Action, Task
from stackcook.run.plan import Plan, Step
from stackcook.run.preview import Removal

if TYPE_CHECKING:  # to print a plan, the libraries for SSH and OpenStack are not loaded
    from stackcook.operations.site import Site


def destroy(
    manifest: Manifest,
    site: Site,
    listeners: tuple[Listener, ...],
    *,
    settings: Settings = Settings(),
) -> ExitCode:
    """Undo a deploy in reverse order; it is no failure if something has been removed already.

    It ends at the first step that fails, and keeps everything that a second try needs.
    """
    made = actions(manifest, site)
    return run(destroy_plan(manifest), made, manifest, site, listeners, settings)


def destroy_plan(manifest: Manifest) -> Plan:
    """The plan for all nodes. Pure."""
    names = ", ".join(node.name for node in _nodes(manifest))
    machines = f"destroy the machines of {names}"
    if manifest.machines is MachineKind.SSH:
        machines = f"leave the hosts {names} unchanged"
    wanted = (
        ("machines", machines),
        ("nodes", "delete the nodes and their clients from the Chef server"),
        ("chef server", "stop the embedded Chef server"),
        ("network", "remove the network of the machines"),
        ("state", f"remove {manifest.state} and the cloud from clouds.yaml"),
    )
    steps: list[Step] = []
    for name, does in wanted if names else wanted[2:]:
        steps.append(Step(name, does, after=(steps[-1].key,) if steps else ()))
    return Plan("destroy", tuple(steps))


def actions(manifest: Manifest, site: Site) -> dict[str, Action]:
    """What the steps do."""
    nodes = _nodes(manifest)

    def machines(task: Task) -> str:
        site.machines.destroy(nodes, task.say)
        if manifest.machines is MachineKind.SSH:
            return f"left unchanged, including /etc/chef: {', '.join(node.name for node in nodes)}"
        return "deleted"

    def network(_: Task) -> str:
        site.machines.tear_down()
        return ""

    return {
        "machines": machines,
        "nodes": lambda _: site.forget(nodes),
        "chef server": lambda _: site.stop_chef_server(),
        "network": network,
        "state": lambda _: site.remove(),
    }


def removals(manifest: Manifest, facts: Facts, only: Collection[str] = ()) -> tuple[Removal, ...]:
    """What there is to remove of the nodes, or of those in ``only``, in the order of ``destroy``.

    Hosts that were there before stay, as do nodes of which nothing is there.
    """
    found = (
        Removal(
            node,
            machine=_made(manifest, node) and facts.machines.get(node.name, ABSENT) != ABSENT,
            registered=node.name in facts.registered,
        )
        for node in _nodes(manifest)
        if not only or node.name in only
    )
    return tuple(removal for removal in found if removal.machine or removal.registered)


def _nodes(manifest: Manifest) -> tuple[Node, ...]:
    """All nodes, those of the last stage first."""
    return tuple(node for _, nodes in manifest.staged() for node in nodes)[::-1]


def _made(manifest: Manifest, node: Node) -> bool:
    """Whether the node's machine is created for it, by a cloud or by Vagrant."""
    if node.provider:
        return node.provider not in WINDOWS
    return manifest.machines is MachineKind.VAGRANT
