"""What must hold of the nodes' addresses and their network."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from stackcook.errors import Position
from stackcook.manifest.model import MachineKind, Node
from stackcook.manifest.settings import Settings
from stackcook.manifest.shapes import Shapes


def check_addresses(shapes: Shapes, settings: Settings, nodes: Iterable[Node]) -> None:
    """Note addresses that two nodes share or that are none of a host in the network.

    Machines that a provider makes have places of their own.
    """
    holders: dict[IPv4Address | str, str] = {}
    if settings.server_address:
        holders[settings.server_address] = "the Chef server"
    count = 0
    made_elsewhere = 0
    for node in nodes:
        if node.provider:
            made_elsewhere += 1
            continue
        count += 1
        if node.address is None:
            if settings.machines is MachineKind.SSH:
                _check_host(shapes, holders, node)
            continue
        seat = settings.seats.get(node.name)
        at = seat.address_at if seat and seat.address_at else node.at
        if node.address in holders:
            what = f"node {node.name}: address {node.address} is that of"
            shapes.error(at, f"{what} {holders[node.address]} too", "give each its own")
        else:
            holders[node.address] = f"node {node.name}"
            _check_place(shapes, settings, at, node.name, node.address)
    if count or not made_elsewhere:
        _check_network(shapes, settings, count)


def _check_host(shapes: Shapes, holders: dict[IPv4Address | str, str], node: Node) -> None:
    """Note a node that goes by the name of another's host."""
    if node.host in holders:
        what = f"node {node.name}: host {node.host} is that of {holders[node.host]} too"
        shapes.error(node.at, what, "give each its own")
    holders.setdefault(node.host, f"node {node.name}")


def _check_place(
    shapes: Shapes, settings: Settings, at: Position, name: str, address: IPv4Address
) -> None:
    network = settings.network
    if network is None or network.num_addresses <= 2:
        return  # a link of two has no network's, no bridge's and no broadcast address
    if address not in network:
        wrong = f"outside of the network {network}"
    elif address == network.network_address:
        wrong = "the network's own"
    elif address == network.broadcast_address:
        wrong = "the network's broadcast address"
    elif settings.machines is MachineKind.VAGRANT and address == _first(network):
        wrong = "the bridge's"
    else:
        return
    hosts = f"take one of {_first(network) + 1} to {network.broadcast_address - 1}"
    shapes.error(at, f"node {name}: address {address} is {wrong}", hosts)


def _check_network(shapes: Shapes, settings: Settings, count: int) -> None:
    """Note what Vagrant's machines can't have as their network."""
    if settings.machines is not MachineKind.VAGRANT or settings.at is None:
        return
    network, at = settings.network, settings.network_at
    if network is None:
        if at is None:
            remedy = "add `network: 10.0.112.0/24`"
            shapes.error(settings.at, "stackcook: Vagrant's machines need a network", remedy)
        return
    # all but the network's, the bridge's and the broadcast address
    room = max(network.num_addresses - 3, 0)
    if network.is_loopback or network.is_link_local or network.is_multicast:
        what = f"stackcook: network: machines can't have addresses of {network}"
        shapes.error(at, what, "take a private one, as 10.0.112.0/24")
    elif room < count:
        what = f"stackcook: network: {network} has room for {room} of {count} nodes"
        shapes.error(at, what, "take a larger one")
    elif not network.is_private:
        what = f"stackcook: network: {network} is in use on the Internet"
        shapes.warning(at, what, "take a private one, as 10.0.112.0/24")


def _first(network: IPv4Network) -> IPv4Address:
    """The first host's address: the lab bridge's."""
    return network.network_address + 1
