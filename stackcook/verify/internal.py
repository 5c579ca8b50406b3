"""Checks APIs at the addresses of their own nodes, and the address that controllers share.

A request to the shared address shows that one of the controllers works. Each of them is asked from
its own node: internal APIs over TLS need not be open to other machines.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable
from functools import partial
from urllib.parse import urlsplit

from stackcook.errors import VerifyError
from stackcook.parallel import parallel_map
from stackcook.verify.check import Check, Checks, timed
from stackcook.verify.openstack import EXPECTED, Cloud, Endpoint, v3
from stackcook.verify.placing import ADDRESS_DAEMONS, Placed, running
from stackcook.verify.services import Sessions


def checks(
    nodes: Iterable[Placed], cloud: Cloud, sessions: Sessions, types: Collection[str] = ()
) -> Checks:
    """One check for each API of each node, at its own address; of some ``types``, or of all.

    Only nodes that share an address with others, or whose internal services use TLS.
    """
    nodes = [node for node in nodes if node.virtual or node.secure]
    looks = [
        (f"its own {endpoint.type} API", node, endpoint)
        for endpoint in internal(cloud)
        if not types or endpoint.type in types
        for node in running(nodes, EXPECTED[endpoint.type].unit)
        if endpoint.host in (node.virtual, node.address)
    ]

    def look(each: tuple[str, Placed, Endpoint]) -> Check:
        name, node, endpoint = each
        unit = EXPECTED[endpoint.type].unit
        return timed(name, node.name, unit, lambda: ask(node, endpoint, cloud, sessions))

    return tuple(parallel_map(look, looks))


def internal(cloud: Cloud) -> tuple[Endpoint, ...]:
    """The internal endpoints at which something can be listed, one for each URL."""
    listed = (
        each
        for each in cloud.catalog
        if each.interface == "internal" and each.type in EXPECTED and EXPECTED[each.type].listing
    )
    return tuple({endpoint.url: endpoint for endpoint in listed}.values())


def ask(
    node: Placed, endpoint: Endpoint, cloud: Cloud, sessions: Sessions, address: str = ""
) -> None:
    """Read a short list on ``node`` from its own API, or from that at ``address``.

    Raises VerifyError.
    """
    url = v3(endpoint.url) if endpoint.type == "identity" else endpoint.url.rstrip("/")
    parts, listing = urlsplit(url), EXPECTED[endpoint.type].listing
    sessions.ask(
        node,
        "http",
        parts.port or 80,
        parts.path + listing,
        stdin=cloud.token,
        address=address,
        secure=parts.scheme == "https",
    )


def shared_address(nodes: Iterable[Placed], sessions: Sessions) -> Checks:
    """Whether exactly one of the controllers has the address that they share."""
    sharing: dict[str, list[Placed]] = {}
    for node in nodes:
        if node.virtual and _daemon(node):
            sharing.setdefault(node.virtual, []).append(node)
    return tuple(
        timed(
            f"the shared address {address}",
            "",
            _daemon(its[0]),
            partial(_one, address, its, sessions),
        )
        for address, its in sharing.items()
    )


def _daemon(node: Placed) -> str:
    """The unit that gives a node the address or takes it away; empty if the node has none."""
    return next((unit for unit in ADDRESS_DAEMONS if node.service(unit)), "")


def _one(address: str, nodes: list[Placed], sessions: Sessions) -> None:
    command = f"ip -o address show to {shlex.quote(address)}"
    outputs = parallel_map(lambda node: sessions.output(node.name, command), nodes)
    having = [node.name for node, output in zip(nodes, outputs) if address in output]
    if len(having) == 1:
        return
    who = ", ".join(node.name for node in nodes)
    what = f"{' and '.join(having)} have it at the same time" if having else f"none of {who} has it"
    remedy = (
        "read the logs of what moves it: "
        "`stackcook ssh NODE -- sudo journalctl -u keepalived -u openstack-ucarp`"
    )
    raise VerifyError(what, remedy=remedy)
