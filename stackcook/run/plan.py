"""What is to be done with each node, as plain data: no I/O, so it can be printed and compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum

from stackcook.bootstrap.providers import WINDOWS
from stackcook.machines.base import ABSENT, RUNNING, STOPPED
from stackcook.manifest.model import MachineKind, Manifest, Node


class MachineAction(Enum):
    """What a node's machine needs before SSH can reach it."""

    MAKE = "make"
    START = "start"
    NONE = "none"


class ChefAction(Enum):
    """How the node comes under Chef."""

    BOOTSTRAP = "bootstrap"
    CONVERGE = "converge"


@dataclass(frozen=True)
class Facts:
    """What was observed: the machines' states, and the nodes that the Chef server knows."""

    machines: Mapping[str, str] = field(default_factory=dict)
    registered: Collection[str] = frozenset()


@dataclass(frozen=True)
class NodePlan:
    """One node's part."""

    node: Node
    machine: MachineAction
    chef: ChefAction


@dataclass(frozen=True)
class StagePlan:
    """Nodes that converge together, once the services of those in ``after`` answer."""

    name: str
    nodes: tuple[NodePlan, ...]
    after: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The stages, in order."""

    stages: tuple[StagePlan, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every node that has a part, in the order of the stages."""
        return tuple(part.node for stage in self.stages for part in stage.nodes)


@dataclass(frozen=True)
class Removal:
    """One node's way back: whether its machine goes, and its node and client on the Chef server."""

    node: Node
    machine: bool
    registered: bool


_MACHINE = {RUNNING: MachineAction.NONE, STOPPED: MachineAction.START}


def plan(manifest: Manifest, facts: Facts, only: Collection[str] = ()) -> Plan:
    """The plan for every node, or those named in ``only``.

    A stage waits for all nodes of the stages before it, whether or not they have a part in this
    plan. A node that the server knows is converged, unless its machine is yet to be made.
    """
    stages: list[StagePlan] = []
    before: tuple[Node, ...] = ()
    for stage, nodes in manifest.staged():
        parts = tuple(_part(node, facts) for node in nodes if not only or node.name in only)
        if parts:
            stages.append(StagePlan(stage.name, parts, before))
        before += nodes
    return Plan(tuple(stages))


def _part(node: Node, facts: Facts) -> NodePlan:
    machine = _MACHINE.get(facts.machines.get(node.name, ABSENT), MachineAction.MAKE)
    known = node.name in facts.registered and machine is not MachineAction.MAKE
    return NodePlan(node, machine, ChefAction.CONVERGE if known else ChefAction.BOOTSTRAP)


def removals(manifest: Manifest, facts: Facts, only: Collection[str] = ()) -> tuple[Removal, ...]:
    """What ``destroy`` takes away of the nodes, or of those named in ``only``, in its order.

    Hosts that were there before stay, as do nodes of which nothing is there.
    """
    nodes = [node for _, staged in manifest.staged() for node in staged][::-1]
    found = (
        Removal(
            node,
            machine=_made(manifest, node) and facts.machines.get(node.name, ABSENT) != ABSENT,
            registered=node.name in facts.registered,
        )
        for node in nodes
        if not only or node.name in only
    )
    return tuple(removal for removal in found if removal.machine or removal.registered)


def _made(manifest: Manifest, node: Node) -> bool:
    """Whether the node's machine is made for it: by a cloud, or by Vagrant."""
    if node.provider:
        return node.provider not in WINDOWS
    return manifest.machines is MachineKind.VAGRANT
