"""Machines that a knife plugin creates when it bootstraps them, together with all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackcook.addresses import IPAddress
from stackcook.bootstrap import providers
from stackcook.bootstrap.options import options_of
from stackcook.chef.server.knife import server_arguments
from stackcook.command import Command, Runner, Say, find_program, run
from stackcook.errors import MachineError
from stackcook.machines.base import ABSENT, RUNNING, Machines
from stackcook.manifest.model import ChefServer, Node
from stackcook.remote.base import Host

Lookup = Callable[[str], Mapping[str, Any] | None]
"""The Chef server's node object of that name, if there is one."""


@dataclass(frozen=True)
class ProvidedMachines:
    """Handles the nodes of providers; passes all others to ``inner``."""

    inner: Machines
    lookup: Lookup
    server: Callable[[], ChefServer]
    root: Path
    runner: Runner = run

    def prepare(self) -> None:
        """Prepare the other nodes' machines."""
        self.inner.prepare()

    def up(self, nodes: Sequence[Node], on_line: Say) -> None:
        """Start the others; a provider creates its machines when they are bootstrapped."""
        if others := _others(nodes):
            self.inner.up(others, on_line)

    def hosts(self, nodes: Sequence[Node]) -> Mapping[str, Host]:
        """A provider's machines are reached at the address in their node objects."""
        others = self.inner.hosts(_others(nodes))
        return {node.name: others.get(node.name) or self._host(node) for node in nodes}

    def states(self, nodes: Sequence[Node]) -> Mapping[str, str]:
        """A provider's machines count as running if the Chef server knows the nodes."""
        others = self.inner.states(_others(nodes))
        return {node.name: others.get(node.name) or self._state(node) for node in nodes}

    def destroy(self, nodes: Sequence[Node], on_line: Say) -> None:
        """Let the plugins delete their machines. Windows hosts stay: they existed before."""
        for node in nodes:
            if node.provider and node.provider not in providers.WINDOWS:
                if self.lookup(node.name) is not None:
                    self._delete(node, on_line)
        if others := _others(nodes):
            self.inner.destroy(others, on_line)

    def server_address(self) -> IPAddress:
        """This machine's address, as the others reach it."""
        return self.inner.server_address()

    def attributes(self, zone: str = "") -> Mapping[str, Any]:
        """Those of the others."""
        return self.inner.attributes(zone)

    def tear_down(self) -> None:
        """Remove what was prepared for the others."""
        self.inner.tear_down()

    def _host(self, node: Node) -> Host:
        found = (self.lookup(node.name) or {}).get("automatic") or {}
        address = (found.get("cloud") or {}).get("public_ipv4") or found.get("ipaddress")
        key = node.key or Path("~/.ssh/id_rsa").expanduser()
        place = str(node.ssh_address or node.address or address or node.host)
        host = Host(node.name, place, node.user or "root", (key,), node.port or 22)
        return options_of(node, self.root).reach(host)

    def _state(self, node: Node) -> str:
        return ABSENT if self.lookup(node.name) is None else RUNNING

    def _delete(self, node: Node, on_line: Say) -> None:
        assert node.provider
        words = (*providers.delete_words(node.provider), node.name)
        server = server_arguments(self.server())
        argv = (str(find_program("knife")), *words, "-y", *server)
        done = self.runner(Command(argv, cwd=self.root), on_line=on_line, timeout=600)
        if done.status:
            raise MachineError(
                f"`knife {' '.join(words)}` failed: {done.last}",
                where=node.name,
                remedy="delete the machine in the cloud yourself, then run the command again",
            )


def _others(nodes: Sequence[Node]) -> tuple[Node, ...]:
    return tuple(node for node in nodes if not node.provider)
