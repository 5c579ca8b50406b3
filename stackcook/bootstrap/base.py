"""What the engine needs of a way to bring nodes under Chef: bootstrap and converge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from stackcook.manifest.model import Node
from stackcook.remote.base import Host


class Standing(Enum):
    """What the Chef server and the node know of each other."""

    NEW = "new"
    """The server has no such client: bootstrap."""
    HALF = "half made"
    """The server has one, but the node can't log in as it (made anew, or killed midway)."""
    KNOWN = "known"
    """The node logs in to the server: converge."""


@dataclass(frozen=True)
class ConvergeResult:
    """What one chef-client run did: resources updated, of how many, in how many seconds.

    ``changed`` names the updated resources, in order.
    """

    updated: int
    total: int
    seconds: float
    changed: tuple[str, ...] = ()


class Bootstrap(Protocol):
    """A way to bring nodes under Chef. Each method raises NodeError, or ChefServerError."""

    def standing(self, node: Node, host: Host) -> Standing:
        """Whether ``node`` is to be bootstrapped or only converged."""
        ...

    def bootstrap(self, node: Node, host: Host, on_line: Callable[[str], None]) -> ConvergeResult:
        """Install the client, register, converge for the first time."""
        ...

    def converge(self, node: Node, host: Host, on_line: Callable[[str], None]) -> ConvergeResult:
        """Bring the node object in step with the manifest, then run chef-client."""
        ...

    def interrupt(self) -> None:
        """End what is under way on any node, and begin nothing more; from another thread."""
        ...
