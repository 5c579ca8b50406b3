"""What brings machines up and takes them away: the one interface that the rest knows."""

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
        """Make what must be there before the Chef server listens: the lab's network."""
        ...

    def up(self, nodes: Sequence[Node], on_line: LineListener) -> None:
        """Bring ``nodes`` up, together; those that are up already are left as they are."""
        ...

    def hosts(self, nodes: Sequence[Node]) -> Mapping[str, Host]:
        """How SSH reaches each node, by its name, whether it is up or not."""
        ...

    def states(self, nodes: Sequence[Node]) -> Mapping[str, str]:
        """``running``, ``stopped``, ``absent`` or ``unreachable`` for each node, by its name."""
        ...

    def destroy(self, nodes: Sequence[Node], on_line: LineListener) -> None:
        """Take ``nodes`` away; those that are absent already are no failure."""
        ...

    def server_address(self) -> IPv4Address:
        """This machine's address at which the nodes reach it."""
        ...

    def tear_down(self) -> None:
        """Take away what :meth:`prepare` made; call it once no machine is left."""
        ...
