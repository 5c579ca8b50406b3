"""Machines that are there already: hosts known by address, user and key. Nothing makes them."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from stackcook.errors import MachineError
from stackcook.machines.base import RUNNING, UNREACHABLE, LineListener
from stackcook.machines.probe import listening
from stackcook.manifest.model import Manifest, Node
from stackcook.parallel import parallel_map
from stackcook.remote.base import Host

PROBE_TIMEOUT = 1.5
"""Seconds that a host has to accept a connection, to count as running: also if one packet is lost.

All are asked at once, so that this is what hosts that are off cost ``status``."""


@dataclass(frozen=True)
class SshMachines:
    """The machines of a manifest whose kind is ``ssh``."""

    manifest: Manifest
    keys: Path = Path("~/.ssh")

    def describe(self) -> dict[str, Any]:
        """The hosts, as JSON; nobody makes them."""
        return {
            "name": self.manifest.name,
            "provider": None,
            "machines": [
                {
                    "name": node.name,
                    "address": str(node.address or node.host) or None,
                    "user": node.user or "root",
                    "port": node.port,
                }
                for node in self.manifest.nodes
                if not node.provider
            ],
        }

    def prepare(self) -> None:
        """Nothing: the network is there."""

    def up(self, nodes: Sequence[Node], on_line: LineListener) -> None:
        """Nothing but to name each host that lacks what reaching it takes."""
        self.hosts(nodes)

    def hosts(self, nodes: Sequence[Node]) -> Mapping[str, Host]:
        """By the manifest; the user defaults to root, the key to the user's own."""
        return {
            node.name: Host(
                node.name,
                self._address(node),
                node.user or "root",
                node.key or self._own_key(node),
                node.port,
            )
            for node in nodes
        }

    def states(self, nodes: Sequence[Node]) -> Mapping[str, str]:
        """``running`` where something listens at the SSH port, else ``unreachable``."""
        places = {node.name: (str(node.address), node.port) for node in nodes if node.address}
        there = listening(places.values(), PROBE_TIMEOUT)
        up = {name for name, place in places.items() if place in there}
        up.update(self._up_by_name([node for node in nodes if not node.address]))
        return {node.name: RUNNING if node.name in up else UNREACHABLE for node in nodes}

    def destroy(self, nodes: Sequence[Node], on_line: LineListener) -> None:
        """Nothing: whoever made these hosts keeps them."""

    def server_address(self) -> IPv4Address:
        """This machine's address on the way to the nodes, as the kernel would choose it."""
        if self.manifest.server_address:
            return self.manifest.server_address
        node = next((node for node in self.manifest.nodes if node.address or node.host), None)
        if node is None:
            return IPv4Address("127.0.0.1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:  # connecting a datagram socket sends nothing; it only looks up the route
                probe.connect((self._address(node), node.port))
            except OSError as error:
                raise MachineError(
                    f"there is no route to {self._address(node)} ({error.strerror})",
                    where=node.name,
                    remedy="correct the node's address, or this machine's routes",
                ) from error
            return IPv4Address(probe.getsockname()[0])

    def tear_down(self) -> None:
        """Nothing was made."""

    def _address(self, node: Node) -> str:
        """What SSH goes to: the address, or a name that this machine can resolve."""
        address = str(node.address or node.host)
        if not address:
            raise MachineError(
                "has no address", where=node.name, remedy="give it one in `stackcook: nodes`"
            )
        return address

    def _own_key(self, node: Node) -> Path:
        directory = self.keys.expanduser()
        for name in ("id_ed25519", "id_ecdsa", "id_rsa"):
            if (directory / name).is_file():
                return directory / name
        raise MachineError(
            f"there is no SSH key in {directory}",
            where=node.name,
            remedy="give the node a `key` in `stackcook: nodes`, or make one with ssh-keygen",
        )

    def _up_by_name(self, nodes: Sequence[Node]) -> Iterator[str]:
        """Those of nodes without an address that run."""
        for node, listens in zip(nodes, parallel_map(self._listens, nodes, workers=32)):
            if listens:
                yield node.name

    def _listens(self, node: Node) -> bool:
        try:
            address = (self._address(node), node.port)
            socket.create_connection(address, PROBE_TIMEOUT).close()
        except OSError:
            return False
        return True
