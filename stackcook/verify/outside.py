"""Checks from this machine, which is outside of the cloud, that internal ports are closed."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from stackcook.bootstrap.firewall import TABLE, UNIT
from stackcook.machines.probe import listening
from stackcook.verify.check import Check, Checks
from stackcook.verify.placing import Placed
from stackcook.verify.services import Sessions

PATIENCE = 2.0
"""Seconds after which a port that does not answer counts as closed."""

REMEDY = "run `stackcook converge {}`, and look at its rules: `nft list ruleset`"


def checks(nodes: Iterable[Placed], sessions: Sessions) -> tuple[Checks, tuple[str, ...]]:
    """One check for each node that has a firewall, and notes about what could not be checked.

    A node may let this machine in, because it is a node itself, or by an attribute.
    """
    addressed = [(node, _resolved(node.address)) for node in nodes if node.service(UNIT)]
    walled = [(node, address) for node, address in addressed if address]
    places = [
        (address, port)
        for node, address in walled
        for service in node.services
        for port in service.internal_ports
    ]
    found = listening(places, PATIENCE)
    results: list[Check] = []
    notes: list[str] = []
    for node, address in walled:
        opened = {
            port: service.unit
            for service in node.services
            for port in service.internal_ports
            if (address, port) in found
        }
        if opened and (mine := _let_in(node.name, address, sessions)):
            notes.append(f"internal ports of {node.name} not checked: it lets {mine} in")
        else:
            results.append(_check(node.name, opened))
    return tuple(results), tuple(notes)


def _check(node: str, opened: Mapping[int, str]) -> Check:
    name = "internal ports"
    if not opened:
        return Check(name, node, True)
    shown = ", ".join(f"{port} ({unit})" for port, unit in sorted(opened.items()))
    cause = f"this machine, which is not a node of the cloud, can connect to port {shown}"
    return Check(name, node, False, cause, REMEDY.format(node))


def _let_in(node: str, address: str, sessions: Sessions) -> str:
    """This machine's address if the node's firewall lets it in, else empty."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))  # sends nothing: it only looks up the route
        mine = str(probe.getsockname()[0])
    element = f"{TABLE} nodes{ip_address(mine).version} '{{ {mine} }}'"
    return mine if sessions.output(node, f"nft get element {element} 2>/dev/null") else ""


def _resolved(address: str) -> str:
    """The IP address of a node's name; empty if there is none."""
    try:
        return str(socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        return ""
