"""The interface of a bootstrap: what installs the Chef client on nodes and converges them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from stackcook.manifest.model import Node
from stackcook.remote.base import Host

Say = Callable[[str], None]
"""Takes a line that the node printed."""


class Registration(Enum):
    """Whether a node is registered with the Chef server."""

    NEW = "new"
    """The server has no such client: bootstrap."""
    PARTIAL = "partial"
    """The server has one, but the node can't log in as it (reinstalled, or interrupted)."""
    REGISTERED = "registered"
    """The node logs in to the server: converge."""


@dataclass(frozen=True)
class Look:
    """The result of inspecting a node: its registration, and a short description of the node.

    ``client`` is true if a Chef client of any version is installed.
    """

    registration: Registration
    text: str = ""
    client: bool = False


@dataclass(frozen=True)
class ResourceTime:
    """A Chef resource of one converge: ``package[nova]``, declared in ``cookbook::recipe``."""

    name: str
    recipe: str
    seconds: float
    updated: bool = False


@dataclass(frozen=True)
class ConvergeResult:
    """The result of one chef-client run: ``updated`` of ``total`` resources, and its duration.

    ``changed`` names the updated resources, in order; ``resources`` are the slowest ones.
    """

    updated: int
    total: int
    seconds: float
    changed: tuple[str, ...] = ()
    resources: tuple[ResourceTime, ...] = ()


@dataclass(frozen=True)
class Deploy:
    """What the steps of all nodes share: the deploy's ``id``, which every converge records.

    ``nodes`` are the names of the nodes that it covers, in this run or in the run that it resumes;
    ``recipes`` are, by node, the recipes that need no other node.
    """

    id: str
    nodes: frozenset[str] = frozenset()
    recipes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Bootstrap(Protocol):
    """Installs the Chef client on nodes and converges them. Raises NodeError or ChefServerError."""

    def reach(self, node: Node, host: Host) -> None:
        """Only log in to ``node``; raises NodeError if it can't be reached."""
        ...

    def look(self, node: Node, host: Host) -> Look:
        """Inspect ``node``: its preflight checks and its registration. Changes nothing.

        Raises NodeError if it can't be reached, or with what has to be fixed first.
        """
        ...

    def perform(
        self, step: str, node: Node, host: Host, deploy: Deploy, timeout: float, say: Say
    ) -> ConvergeResult | str:
        """Carry out the step of that name, one of those that :mod:`.steps` lists for the node.

        It may take ``timeout`` seconds; ``say`` gets each line that the node prints. Returns what
        it did, in a few words or as a converge.
        """
        ...

    def interrupt(self) -> None:
        """End what runs on all nodes, and begin nothing more; call it from another thread."""
        ...
