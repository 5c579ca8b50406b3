"""The interface of what creates, finds and deletes machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from stackcook.addresses import IPAddress
from stackcook.command import Say
from stackcook.manifest.model import Node
from stackcook.remote.base import Host

RUNNING = "running"
STOPPED = "stopped"
ABSENT = "absent"
UNREACHABLE = "unreachable"

STOPPING = "stopping"
"""The file in .stackcook that is there from the begin of a shutdown until machines are started."""


class Machines(Protocol):
    """The machines of one manifest. Methods raise MachineError if they fail."""

    def prepare(self) -> None:
        """Create the lab's network, whose address the Chef server listens on."""
        ...

    def up(self, nodes: Sequence[Node], on_line: Say) -> None:
        """Start ``nodes`` in parallel; running machines are not changed."""
        ...

    def hosts(self, nodes: Sequence[Node]) -> Mapping[str, Host]:
        """How SSH reaches each node, by the node's name; also for machines that are off."""
        ...

    def states(self, nodes: Sequence[Node]) -> Mapping[str, str]:
        """``running``, ``stopped``, ``absent`` or ``unreachable`` for each node, by its name."""
        ...

    def destroy(self, nodes: Sequence[Node], on_line: Say) -> None:
        """Delete the machines of ``nodes`` that exist."""
        ...

    def server_address(self) -> IPAddress:
        """This machine's address at which the nodes reach it."""
        ...

    def attributes(self, zone: str = "") -> Mapping[str, Any]:
        """The attributes below ``openstack`` that all nodes get: those about an external network.

        Of it, each zone has its own part.

        Empty without one.
        """
        ...

    def tear_down(self) -> None:
        """Remove what :meth:`prepare` created; call it after all machines are deleted."""
        ...
