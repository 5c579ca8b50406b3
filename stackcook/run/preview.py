"""What a command would do on the Chef server and with the nodes, as pure data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from stackcook.chef.repository.repository import Repository
from stackcook.chef.sync.changes import CookbookChange, Difference, ObjectChange, PolicyChange
from stackcook.knife.nodes import entries
from stackcook.manifest.model import Manifest, Node
from stackcook.run.plan import Plan


@dataclass(frozen=True)
class Removal:
    """What ``destroy`` removes of a node: its machine, its node and client on the Chef server.

    ``host``: it gives its host back.
    """

    node: Node
    machine: bool
    registered: bool
    host: bool = False


@dataclass(frozen=True)
class Deletion:
    """What is deleted: nodes and objects, each in their order; objects by their labels.

    ``state`` is the directory with passwords, keys and the embedded server, None if it stays;
    ``plan`` has no steps unless everything goes.
    """

    removals: tuple[Removal, ...] = ()
    objects: tuple[str, ...] = ()
    state: Path | None = None
    plan: Plan = Plan("destroy")


@dataclass(frozen=True)
class Creation:
    """What is created: ``difference`` is None if the sections have no objects for the server.

    ``passwords`` are those that are generated first, as BAG/ITEM; ``nodes`` those of the plan,
    ``commands`` those of the section ``knife``.
    """

    difference: Difference | None = None
    passwords: tuple[str, ...] = ()
    plan: Plan = Plan("deploy")
    nodes: tuple[Node, ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preview:
    """The whole preview; ``server`` is the URL of the Chef server, None if it was not asked.

    ``unasked`` says why, unless none is running; ``warnings`` say why this machine cannot deploy,
    ``notes`` what the cloud will lack.
    """

    server: str | None
    deletion: Deletion | None = None
    creation: Creation | None = None
    unasked: str = ""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def chosen(
    manifest: Manifest, sections: Collection[str], wanted: Collection[str] | None
) -> frozenset[str]:
    """The names of the nodes that belong to ``sections`` and are among ``wanted`` (None: all)."""
    return frozenset(
        machine.node.name
        for entry in entries(manifest, wanted)
        if ("clusters" if entry.group.cluster else "nodes") in sections
        for machine in entry.machines
    )


def everything(repository: Repository, sections: Collection[str]) -> Difference:
    """The difference from an empty server."""
    wanted = repository.select(sections)
    labels = [
        *(f"data bag {bag.name}" for bag in wanted.data_bags),
        *(f"data bag item {bag.name}/{item}" for bag in wanted.data_bags for item in bag.items),
        *(f"environment {name}" for name in wanted.environments),
        *(f"role {name}" for name in wanted.roles),
    ]
    cookbooks = tuple(CookbookChange(c, frozenset(), new=True) for c in wanted.cookbooks)
    lock = wanted.policy
    policy = PolicyChange(lock, lock.artifacts, new=True) if lock else None
    new = tuple(ObjectChange(label, "", "", {}, new=True) for label in labels)
    return Difference(cookbooks, new, (), policy=policy)
