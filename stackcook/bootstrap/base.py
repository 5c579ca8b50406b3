"""What the engine needs of a way to bring nodes under Chef: the steps of each, as data."""

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
    """What the Chef server and the node know of each other."""

    NEW = "new"
    """The server has no such client: bootstrap."""
    PARTIAL = "partial"
    """The server has one, but the node can't log in as it (made anew, or killed midway)."""
    REGISTERED = "registered"
    """The node logs in to the server: converge."""


@dataclass(frozen=True)
class Look:
    """What a look at a node has found: its registration, and in a few words what it is.

    ``client`` says that a Chef client is there, of whatever version.
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
    """What one chef-client run did: resources updated, of how many, in how many seconds.

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

    ``nodes`` are the names of those that it covers, in this run or an earlier one of it;
    ``recipes`` are, by node, the recipes that need no other node.
    """

    id: str
    nodes: frozenset[str] = frozenset()
    recipes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Bootstrap(Protocol):
    """A way to bring nodes under Chef. Raises NodeError, or ChefServerError."""

    def reach(self, node: Node, host: Host) -> None:
        """Log in to ``node``, and no more; raises NodeError if it can't be reached."""
        ...

    def look(self, node: Node, host: Host) -> Look:
        """Inspect ``node``: is it fit, and how is it registered? Changes nothing.

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
        """End what runs on any node, and begin nothing more; call it from another thread."""
        ...
