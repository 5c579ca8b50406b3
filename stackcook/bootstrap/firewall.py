"""The firewall of the cloud's nodes: whom it lets in, and how a new node gets in.

The cookbooks' resource ``openstack_firewall`` makes it: only the addresses that it gets as an
attribute may connect to internal services. They have to be known before the first node converges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from stackcook.bootstrap.objects import MOST_ROWS
from stackcook.bootstrap.preflight import HostFacts
from stackcook.chef.rest.client import ChefClient
from stackcook.manifest.model import Manifest, Node

UNIT = "openstack-firewall"
"""The systemd unit of the firewall; a node that has it says so in its node object."""

FILE = "/etc/openstack-firewall.nft"
TABLE = "inet openstack"


@dataclass(frozen=True)
class Firewall:
    """Which addresses the nodes of the cloud let in; none if it is not ``on``.

    ``nodes`` are all of the manifest. ``lookup`` gives the node object of the Chef server, for
    nodes whose address neither the manifest nor their host has said.
    """

    nodes: tuple[Node, ...]
    on: bool
    lookup: Callable[[str], Mapping[str, Any] | None]
    _hosts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, manifest: Manifest, lookup: Callable[[str], Mapping[str, Any] | None]) -> Firewall:
        """The firewall as the manifest wants it."""
        return cls(manifest.nodes, manifest.firewall, lookup)

    def note(self, node: Node, facts: HostFacts | None) -> None:
        """Remember which addresses a host has."""
        if facts and (found := facts.said.get("addresses", "").split()):
            self._hosts[node.name] = tuple(filter(_is_global, found))

    def addresses(self, node: Node) -> tuple[str, ...]:
        """From where the node may connect; empty if that is not known yet."""
        if node.address:
            described = (str(a.ip) for each in node.interfaces for a in each.addresses)
            return (str(node.address), *described)
        if found := self._hosts.get(node.name):
            return found
        its = self.lookup(node.name) or {}
        if address := (its.get("automatic") or {}).get("ipaddress"):
            self._hosts[node.name] = (str(address),)  # every node that converges asks for it
        return self._hosts.get(node.name, ())

    def attributes(self, node: Node) -> dict[str, Any]:
        """What a node gets, below ``openstack.firewall``.

        The addresses are one text, because Chef would add the items of a list to those that the
        node has saved.
        """
        if not self.on:
            return {"enabled": False}
        mine = (each for each in self.nodes if _cloud(each) == _cloud(node))
        found = {address for each in mine for address in self.addresses(each)}
        return {"enabled": True, **({"nodes": " ".join(sorted(found))} if found else {})}

    def missing(self, node: Node, nodes: Iterable[Node], let_in: str) -> tuple[str, ...]:
        """The addresses of ``nodes`` that are not in ``let_in``, the text of ``node``'s attribute.

        Nodes of another environment than its own are none of its cloud.
        """
        known, mine = set(let_in.split()), (n for n in nodes if _cloud(n) == _cloud(node))
        return tuple(a for each in mine for a in self.addresses(each) if a not in known)


def recorded(client: ChefClient) -> Mapping[str, str]:
    """Node → the addresses that its firewall lets in; without those that have none.

    One search for all nodes. Raises ChefServerError.
    """
    keys = {
        "name": ["name"],
        "unit": ["openstack", "services", UNIT],
        "nodes": ["openstack", "firewall", "nodes"],
    }
    answer = client.post(f"/search/node?q=*:*&rows={MOST_ROWS}", keys)
    found = (row["data"] for row in answer["rows"])
    return {each["name"]: each["nodes"] or "" for each in found if each["unit"] is not None}


def let_in(addresses: Iterable[str]) -> str:
    """The shell script, for root, that lets further addresses through a node's firewall.

    It changes the table of the kernel, and the file from which the table is loaded at boot.
    """
    lines = [f"set -e; umask 022; nft list table {TABLE} >/dev/null 2>&1 || exit 0"]
    for address in addresses:
        element = f"{TABLE} nodes{ip_address(address).version} '{{ {address} }}'"
        lines.append(f"nft get element {element} >/dev/null 2>&1 || nft add element {element}")
    return "\n".join(
        (
            *lines,
            f"{{ echo 'table {TABLE}'; echo 'delete table {TABLE}'; nft list table {TABLE}; }}"
            f" >{FILE}.new",
            f"mv {FILE}.new {FILE}",
        )
    )


def _is_global(address: str) -> bool:
    parsed = ip_address(address)
    return not (parsed.is_loopback or parsed.is_link_local)


def _cloud(node: Node) -> str:
    """The nodes of an environment, or of a policy group, are one cloud."""
    return node.policy_group or node.environment
