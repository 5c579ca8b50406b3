"""Existing hosts, reached as ssh reaches them. stackcook neither creates nor deletes them."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

from stackcook.addresses import IPAddress
from stackcook.bootstrap.options import options_of
from stackcook.command import Say
from stackcook.errors import MachineError
from stackcook.machines.base import RUNNING, UNREACHABLE
from stackcook.machines.network import external_attributes
from stackcook.machines.probe import listening
from stackcook.manifest.model import Manifest, Node
from stackcook.parallel import parallel_map
from stackcook.remote.base import Access, Host
from stackcook.remote.config import Config
from stackcook.remote.resolve import Wanted, resolve

PROBE_TIMEOUT = 1.5
"""Seconds in which a running host accepts a connection, even if one packet is lost.

``status`` takes as long if some hosts are off."""

ROUTES_TRIED = 5
"""Nodes to which a route is looked for: a name server that is down takes time for each."""

GATEWAY_TIMEOUT = 5.0
"""The same for a host behind a gateway, which has to be logged in to first."""


@dataclass(frozen=True)
class SshMachines:
    """The machines of a manifest whose kind is ``ssh``."""

    manifest: Manifest
    home: Path = Path("~")
    access: Access = Access()

    def describe(self) -> dict[str, Any]:
        """The hosts, as JSON."""
        hosts = self.hosts([node for node in self.manifest.nodes if not node.provider])
        return {
            "name": self.manifest.name,
            "provider": None,
            "machines": [
                {"name": name, "address": host.address, "user": host.user, "port": host.port}
                for name, host in hosts.items()
            ],
        }

    def prepare(self) -> None:
        """Nothing: the network exists."""

    def attributes(self, zone: str = "") -> Mapping[str, Any]:
        """Those of the manifest's external network; without one, the roles may have them."""
        if self.manifest.external_network is None:
            return {}
        interface, share = self.manifest.external_interface, self.manifest.share(zone)
        return external_attributes(self.manifest.external_network, interface, share)

    def up(self, nodes: Sequence[Node], on_line: Say) -> None:
        """Only raise UsageError if OpenSSH's configuration can't be used."""
        self.hosts(nodes)

    def hosts(self, nodes: Sequence[Node]) -> Mapping[str, Host]:
        """As the manifest says, then the nodes' options of knife, then OpenSSH's configuration.

        By default as root. Raises UsageError for a configuration that can't be used.
        """
        hosts = parallel_map(self._host, nodes)  # each asks ssh
        return {host.name: host for host in hosts}

    def states(self, nodes: Sequence[Node]) -> Mapping[str, str]:
        """``running`` if something listens at the SSH port, else ``unreachable``."""
        hosts = self.hosts(nodes)
        direct = [host for host in hosts.values() if not host.gateway and not host.proxy]
        found = dict(zip((h.name for h in direct), parallel_map(_resolved, direct, workers=32)))
        places = {name: (address, hosts[name].port) for name, address in found.items() if address}
        listen = listening(places.values(), PROBE_TIMEOUT)
        behind = [host for host in hosts.values() if host.name not in found]
        answers = parallel_map(self._answers, behind, workers=32)
        answered = dict(zip((host.name for host in behind), answers))
        return {
            name: RUNNING if places.get(name) in listen or answered.get(name) else UNREACHABLE
            for name in hosts
        }

    def destroy(self, nodes: Sequence[Node], on_line: Say) -> None:
        """Nothing: hosts are never deleted."""

    def server_address(self) -> IPAddress:
        """This machine's address on the route to the nodes: to the first one that has a route."""
        if self.manifest.server_address:
            return self.manifest.server_address
        nodes = [node for node in self.manifest.nodes if not node.provider]
        errors = []
        for node in nodes[:ROUTES_TRIED]:
            try:
                return self._own_address(node)
            except MachineError as error:  # of a name that does not resolve: preflight reports it
                errors.append(error)
        if errors:
            raise errors[0]
        return IPv4Address("127.0.0.1")

    def _own_address(self, node: Node) -> IPAddress:
        """This machine's address on the route to a node; raises MachineError if there is none."""
        host = self._host(node).way[0]
        try:  # connecting a datagram socket sends nothing; it only looks up the route
            # the nodes' own addresses, also where SSH goes through NAT
            address = str(node.ssh_address and node.address or host.address)
            family, place = _place(address, host.port)
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(place)
                return ip_address(probe.getsockname()[0])
        except OSError as error:
            raise MachineError(
                f"no route to {host.address} ({error.strerror})",
                where=node.name,
                remedy="correct the node's address, or set `server_address` in `stackcook:`",
            ) from error

    def tear_down(self) -> None:
        """Nothing: nothing was created."""

    @cached_property
    def _config(self) -> Config:
        return Config(self.home.expanduser())

    def _host(self, node: Node) -> Host:
        wanted = Wanted(
            node.name,
            str(node.ssh_place or node.name),
            user=node.user or "",
            port=node.port,
            keys=(node.key,) if node.key else (),
            host_key=node.host_key,
        )
        host = resolve(wanted, self._config, self.access)
        options = options_of(node, self.manifest.root)
        return options.reach(host, self._config, self.access)

    def _answers(self, host: Host) -> bool:
        from stackcook.remote.ssh import reachable  # paramiko takes long to load

        return reachable(host, self.manifest.state / "known_hosts", GATEWAY_TIMEOUT)


def _place(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """Family and socket address of a host; IPv4 first. Raises OSError if it has no address."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    first = next((info for info in found if info[0] is socket.AF_INET), found[0])
    return first[0], first[4]


def _resolved(host: Host) -> str:
    """The address of a host; empty if its name can't be resolved."""
    try:
        return str(_place(host.address, host.port)[1][0])
    except OSError:
        return ""
