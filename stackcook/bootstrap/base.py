"""The interface of a bootstrap: what installs the Chef client on nodes and converges them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from stackcook.bootstrap.preflight import HostFacts


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

    ``facts`` are those of its host; None if stackcook did not log in to it.
    """

    registration: Registration
    text: str = ""
    facts: HostFacts | None = None


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
