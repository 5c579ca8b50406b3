"""The interface of whatever makes, finds and deletes machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address
from typing import Protocol

from stackcook.manifest.model import Node
from stackcook.remote.base import Host

LineListener = Callable[[str], None]

RUNNING = "running"
STOPPED = "stopped"
ABSENT = "absent"
UNREACHABLE = "unreachable"


class Machines(Protocol):
    """The machines of one manifest. What fails raises MachineError."""

    def prepare(self) -> None:
        """Create the lab's network, whose address the Chef server listens on."""
        ...

    def up(self, nodes: Sequence[Node], on_line: LineListener) -> None:
        """Start ``nodes``, at the same time; those that run are left as they are."""
        ...

    def hosts(self, nodes: Sequence[Node]) -> Mapping[str, Host]:
        """How SSH reaches each node, by its name, whether it is up or not."""
        ...

    def states(self, nodes: Sequence[Node]) -> Mapping[str, str]:
        """``running``, ``stopped``, ``absent`` or ``unreachable`` for each node, by its name."""
        ...

    def destroy(self, nodes: Sequence[Node], on_line: LineListener) -> None:
        """Delete the machines of ``nodes`` that exist."""
        ...

    def server_address(self) -> IPv4Address:
        """This machine's address at which the nodes reach it."""
        ...

    def tear_down(self) -> None:
        """Remove what :meth:`prepare` made; call it once no machine is left."""
        ...
