"""Existing hosts, known by address, user and key. stackcook neither creates nor deletes them."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

from stackcook.command import Say
from stackcook.addresses import IPAddress
from stackcook.errors import MachineError
from stackcook.machines.base import RUNNING, UNREACHABLE
from stackcook.machines.probe import listening
from stackcook.manifest.model import Manifest, Node
from stackcook.parallel import parallel_map
from stackcook.remote.base import Host

PROBE_TIMEOUT = 1.5
"""Seconds in which a running host accepts a connection, even if one packet is lost.

``status`` takes as long if some hosts are off."""


@dataclass(frozen=True)
class SshMachines:
    """The machines of a manifest whose kind is ``ssh``."""

    manifest: Manifest
    keys: Path = Path("~/.ssh")

    def describe(self) -> dict[str, Any]:
        """The hosts, as JSON."""
        return {
            "name": self.manifest.name,
            "provider": None,
            "machines": [
                {
                    "name": node.name,
                    "address": str(node.ssh_place) or None,
                    "user": node.user or "root",
                    "port": node.port,
                }
                for node in self.manifest.nodes
                if not node.provider
            ],
        }

    def prepare(self) -> None:
        """Nothing: the network exists."""

    def attributes(self) -> Mapping[str, Any]:
        """None: what existing hosts have is up to roles and environments."""
        return {}

    def up(self, nodes: Sequence[Node], on_line: Say) -> None:
        """Only raise MachineError if a host has no address or no key."""
        self.hosts(nodes)

    def hosts(self, nodes: Sequence[Node]) -> Mapping[str, Host]:
        """As the manifest says; by default as root, with a key of ``~/.ssh``."""
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
        """``running`` if something listens at the SSH port, else ``unreachable``."""
        named = [node for node in nodes if isinstance(node.ssh_place, str)]
        found = dict(zip((node.name for node in named), parallel_map(_resolve, named, workers=32)))
        places = {
            node.name: (found.get(node.name, str(node.ssh_place)), node.port) for node in nodes
        }
        up = listening((place for place in places.values() if place[0]), PROBE_TIMEOUT)
        return {name: RUNNING if place in up else UNREACHABLE for name, place in places.items()}

    def destroy(self, nodes: Sequence[Node], on_line: Say) -> None:
        """Nothing: hosts are never deleted."""

    def server_address(self) -> IPAddress:
        """This machine's address on the route to the nodes."""
        if self.manifest.server_address:
            return self.manifest.server_address
        node = next((node for node in self.manifest.nodes if node.ssh_place), None)
        if node is None:
            return IPv4Address("127.0.0.1")
        try:  # connecting a datagram socket sends nothing; it only looks up the route
            # the nodes' own addresses, also where SSH goes through NAT
            family, place = _place(str(node.address or node.ssh_place), node.port)
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(place)
                return ip_address(probe.getsockname()[0])
        except OSError as error:
            raise MachineError(
                f"no route to {self._address(node)} ({error.strerror})",
                where=node.name,
                remedy="correct the node's address, or the routes of this machine",
            ) from error

    def tear_down(self) -> None:
        """Nothing: nothing was created."""

    def _address(self, node: Node) -> str:
        """The address, or a name that this machine can resolve."""
        address = str(node.ssh_place)
        if not address:
            raise MachineError(
                "the node has no address",
                where=node.name,
                remedy=f"set `address` in `stackcook: nodes: {node.name}`",
            )
        return address

    def _own_key(self, node: Node) -> Path:
        directory = self.keys.expanduser()
        for name in ("id_ed25519", "id_ecdsa", "id_rsa"):
            if (directory / name).is_file() or node.options.one("password"):
                return directory / name
        raise MachineError(
            f"no SSH key found in {directory}",
            where=node.name,
            remedy=f"set `key` in `stackcook: nodes: {node.name}`, or create a key with ssh-keygen",
        )


def _place(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """Family and socket address of a host; IPv4 first. Raises OSError if it has no address."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    first = next((info for info in found if info[0] is socket.AF_INET), found[0])
    return first[0], first[4]


def _resolve(node: Node) -> str:
    """The address of a node's host name; empty if there is none."""
    try:
        return str(_place(str(node.ssh_place), node.port)[1][0]) if node.ssh_place else ""
    except OSError:
        return ""
