"""The manifest of an existing Chef repository: what was found → sections. Pure.

The same repository gives the same manifest, whatever machine it lies on.
"""

from __future__ import annotations

import heapq
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address
from typing import Any

from stackcook.scaffold.emit import Section
from stackcook.scaffold.survey import Cookbook, DataBag, Node, Survey

HEAD = (
    "Made of this Chef repository by `stackcook init --from-repository`.",
    "`stackcook check` names what is wrong, `stackcook plan` shows what would be done.",
)


def sections(found: Survey) -> tuple[Section, ...]:
    """The manifest; sections of which there is nothing are left out."""
    return tuple(_sections(found))


def _sections(found: Survey) -> Iterator[Section]:
    if found.berksfile:
        yield Section("berksfile", None, ("The cookbooks that Berksfile names come from there.",))
    if found.cookbooks or found.cheffile:
        entries = [
            {book.name: {"version": book.version} if book.version else None}
            for book in dependencies_first(found.cookbooks)
        ]
        yield Section("cookbooks", entries, tuple(_about_cookbooks(found)))
    if found.environments:
        yield Section("environments", [{name: None} for name in found.environments])
    if found.roles:
        yield Section("roles", [{name: None} for name in found.roles])
    if found.data_bags:
        bags = [
            {bag.name: {"items": list(bag.items)} if bag.items else None} for bag in found.data_bags
        ]
        yield Section("data bags", bags, tuple(_about_items(found.data_bags)))
    if found.nodes:
        shared = _shared_addresses(found.nodes)
        nodes = [_node(node, node.address not in shared) for node in found.nodes]
        yield Section("nodes", nodes, _ABOUT_NODES)


_ABOUT_NODES = (
    "SSH goes to a node's address, or else to its name, as root and with your own key. Another",
    "user and key for all of them: a section `options` with `-x USER -i KEY`.",
)


def dependencies_first(cookbooks: Iterable[Cookbook]) -> list[Cookbook]:
    """Each cookbook after those that it depends on, otherwise by name.

    So each may be uploaded when its turn comes. A circle begins with its first name.
    """
    left = {book.name: book for book in cookbooks}
    missing = {
        name: {d for d in book.dependencies if d in left} - {name} for name, book in left.items()
    }
    users: dict[str, list[str]] = {name: [] for name in left}
    for name, needed in missing.items():
        for other in needed:
            users[other].append(name)
    ready = [name for name, needed in missing.items() if not needed]
    heapq.heapify(ready)
    ordered = []
    while left:
        name = heapq.heappop(ready) if ready else min(left)
        if name not in left:
            continue  # it went ahead of a circle
        ordered.append(left.pop(name))
        for user in users[name]:
            missing[user].discard(name)
            if not missing[user] and user in left:
                heapq.heappush(ready, user)
    return ordered


def _about_cookbooks(found: Survey) -> Iterator[str]:
    yield "Each after those that it depends on; a version is checked against cookbooks/."
    if found.cheffile:
        yield "Those of the Cheffile come by librarian-chef and aren't named here."


def _about_items(bags: Iterable[DataBag]) -> Iterator[str]:
    for bag in bags:
        if bag.encrypted:
            yield f"{bag.name}: {', '.join(bag.encrypted)}: encrypted already, uploaded as it is."
    yield "`secret: FILE` beside `items` has a bag's items encrypted on their way."


def _node(node: Node, addressed: bool) -> Mapping[str, Any]:
    """The node's entry; by its address, if it is one node's only."""
    body: dict[str, Any] = {}
    if addressed and node.address:
        body["name"] = node.name
    if node.run_list:
        body["run_list"] = list(node.run_list)
    if node.policy:
        name, group = node.policy
        body["options"] = shlex.join(["--policy-name", name, "--policy-group", group])
    elif node.environment != "_default":
        body["options"] = shlex.join(["-E", node.environment])
    return {str(node.address) if "name" in body else node.name: body or None}


def _shared_addresses(nodes: Iterable[Node]) -> set[IPv4Address | None]:
    """Those that several nodes have, as virtual machines do behind their own host's NAT."""
    counts = Counter(node.address for node in nodes)
    return {address for address, count in counts.items() if count > 1}
