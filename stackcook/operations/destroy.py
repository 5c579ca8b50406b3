"""``destroy``: deletes the machines or gives hosts back, then their objects, then local state."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from stackcook.bootstrap.providers import WINDOWS
from stackcook.bootstrap.record import Keep
from stackcook.errors import ExitCode
from stackcook.machines.base import ABSENT
from stackcook.manifest.model import MachineKind, Manifest, Node
from stackcook.operations.shared import Facts
from stackcook.operations.runner import Settings, run
from stackcook.run.events import Listener
from stackcook.run.executor import Action, Task
from stackcook.run.plan import Key, Plan, Step
from stackcook.run.preview import Removal

if TYPE_CHECKING:  # to print a plan, the libraries for SSH and OpenStack are not loaded
    from stackcook.operations.site import Site

GIVE_BACK_TIMEOUT = 1800.0
"""Seconds in which a host is given back: most of it is apt's."""


def destroy(
    manifest: Manifest,
    site: Site,
    listeners: tuple[Listener, ...],
    *,
    keep: Keep = Keep(),
    settings: Settings = Settings(),
) -> ExitCode:
    """Undo a deploy in reverse order; it is no failure if something has been removed already.

    ``keep`` is about hosts. All hosts are given back that can be; otherwise it ends at the first
    step that fails. It keeps everything that a second try needs.
    """
    made = actions(manifest, site, keep)
    plan = destroy_plan(manifest)
    # no host may fail: the local state is needed to try again
    return run(plan, made, replace(manifest, failure_budget=()), site, listeners, settings)


def destroy_plan(manifest: Manifest) -> Plan:
    """The plan for all nodes. Pure."""
    steps = [*_give_back_steps(manifest)]
    hosts = tuple(step.key for step in steps)
    made = [node.name for node in _nodes(manifest) if not given_back(manifest, node)]
    wanted = {
        "machines": f"destroy the machines of {', '.join(made)}" if made else "",
        "nodes": "delete the nodes and their clients from the Chef server" * bool(manifest.nodes),
        "chef server": "stop the embedded Chef server",
        "network": "remove the network of the machines",
        "state": f"remove {manifest.state} and the cloud from clouds.yaml",
    }
    after = hosts
    for name, does in wanted.items():
        if does:
            steps.append(Step(name, does, after=after))
            after = (steps[-1].key,)
    return Plan("destroy", tuple(steps))


def _give_back_steps(manifest: Manifest) -> Iterator[Step]:
    """One step for each host: those of a stage at the same time, the last stage first.

    A host that fails does not keep the others.
    """
    before: tuple[Key, ...] = ()
    for stage, nodes in reversed(manifest.staged()):
        mine = [node for node in nodes if given_back(manifest, node)]
        steps = [give_back_step(node, stage.name, before) for node in mine]
        yield from steps
        before = tuple(step.key for step in steps) or before


def give_back_step(node: Node, stage: str, after: tuple[Key, ...]) -> Step:
    """Give one host back; after its connection was lost, it is tried again."""
    does = "stop the cloud's services, remove what the cloud has brought, and restore /etc"
    return Step(
        "give back",
        does,
        node.name,
        stage,
        after,
        timeout=GIVE_BACK_TIMEOUT,
        retry=True,
        despite_failures=True,
    )


def actions(manifest: Manifest, site: Site, keep: Keep = Keep()) -> dict[str, Action]:
    """What the steps do."""
    nodes = _nodes(manifest)
    made = [node for node in nodes if not given_back(manifest, node)]

    def give_back(task: Task) -> str:
        node = manifest.node(task.step.node)
        assert node and task.step.timeout
        return site.give_back(node, keep, task.step.timeout, task.say)

    def machines(task: Task) -> str:
        site.machines.destroy(made, task.say)
        return "deleted"

    def network(_: Task) -> str:
        site.machines.tear_down()
        return ""

    return {
        "give back": give_back,
        "machines": machines,
        "nodes": lambda _: site.forget(nodes),
        "chef server": lambda _: site.stop_chef_server(),
        "network": network,
        "state": lambda _: site.remove(),
    }


def removals(manifest: Manifest, facts: Facts, only: Collection[str] = ()) -> tuple[Removal, ...]:
    """What there is to remove of the nodes, or of those in ``only``, in the order of ``destroy``.

    Nodes of which nothing is there are left out.
    """
    found = (
        Removal(
            node,
            machine=_made(manifest, node) and facts.machines.get(node.name, ABSENT) != ABSENT,
            registered=node.name in facts.registered,
            host=given_back(manifest, node) and node.name in facts.registered,
        )
        for node in _nodes(manifest)
        if not only or node.name in only
    )
    return tuple(removal for removal in found if removal.machine or removal.registered)


def given_back(manifest: Manifest, node: Node) -> bool:
    """Whether the node's host was there before the cloud."""
    return manifest.machines is MachineKind.SSH and not node.provider


def _nodes(manifest: Manifest) -> tuple[Node, ...]:
    """All nodes, those of the last stage first."""
    return tuple(node for _, nodes in manifest.staged() for node in nodes)[::-1]


def _made(manifest: Manifest, node: Node) -> bool:
    """Whether the node's machine is created for it, by a cloud or by Vagrant."""
    if node.provider:
        return node.provider not in WINDOWS
    return manifest.machines is MachineKind.VAGRANT
