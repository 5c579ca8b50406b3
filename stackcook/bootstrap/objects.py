"""A node's objects on the Chef server: its client with the public key, and the node object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from stackcook.chef.rest.answers import Conflict, NotFound, Refused
from stackcook.chef.rest.client import ChefClient
from stackcook.errors import ChefServerError, NodeError, Transient
from stackcook.manifest.model import Node
from stackcook.parallel import parallel_map

PERMISSIONS = ("create", "read", "update", "delete", "grant")
"""What the creator of an object may do with it, if the server has access control lists."""


MOST_ROWS = 10_000
"""Of a search: Chef Infra Server refuses to give more."""


class Lost(NodeError):
    """The Chef server no longer has the node: it was killed and lost its last second of data."""


@contextmanager
def passing(node: Node) -> Iterator[None]:
    """Turns a transient ChefServerError into Transient, with the node's name."""
    try:
        yield
    except ChefServerError as error:
        if not error.transient:
            raise
        where = f"{node.name}: {error.where}"
        raise Transient(error.what, where=where, remedy=error.remedy) from error


@contextmanager
def noticing_loss(client: ChefClient, node: Node) -> Iterator[None]:
    """Raises Lost where something failed, and the Chef server has no such node or client."""
    try:
        yield
    except (NotFound, NodeError) as error:
        if isinstance(error, Transient) or not _lost(client, node.name):
            raise
        what, remedy = "the Chef server no longer has this node", "run `stackcook deploy` again"
        raise Lost(what, where=node.name, remedy=remedy) from error


def _lost(client: ChefClient, name: str) -> bool:
    try:
        return any(find(client, f"/{kind}/{name}") is None for kind in ("nodes", "clients"))
    except ChefServerError:
        return False  # unknown: the error itself is reported


def check_ins(client: ChefClient) -> Mapping[str, float]:
    """Node → when its last successful chef-client run began, in seconds since the epoch.

    Ohai's ``ohai_time``, which chef-client saves with the node. One search for all nodes.
    """
    keys = {"name": ["name"], "time": ["ohai_time"]}
    answer = client.post(f"/search/node?q=*:*&rows={MOST_ROWS}", keys)
    found = (row["data"] for row in answer["rows"])
    return {each["name"]: float(each["time"]) for each in found if each["time"] is not None}


def deployed(client: ChefClient) -> Mapping[str, str]:
    """Node → its environment, for those that a deploy has converged. One search for all nodes."""
    keys = {"name": ["name"], "place": ["chef_environment"], "deploy": ["stackcook", "deploy"]}
    answer = client.post(f"/search/node?q=*:*&rows={MOST_ROWS}", keys)
    found = (row["data"] for row in answer["rows"])
    return {each["name"]: str(each["place"]) for each in found if each["deploy"]}


def single_databases(client: ChefClient, names: Iterable[str]) -> frozenset[str]:
    """Those of the nodes whose last converge has left them with a MariaDB in no cluster.

    So they have the data of a cloud with a single controller, and no other node has it.
    """
    paths = [f"/nodes/{name}" for name in names]
    found = parallel_map(lambda path: find(client, path), paths)
    return frozenset(str(each["name"]) for each in found if each and _single(each))


def _single(node: Mapping[str, Any]) -> bool:
    ours = (node.get("default") or {}).get("openstack") or {}
    return "mariadb" in ours.get("services", {}) and "galera" not in ours.get("ha", {})


def find(client: ChefClient, path: str) -> Mapping[str, Any] | None:
    """The object at ``path``, None if there is none."""
    try:
        found: Mapping[str, Any] = client.get(path)
        return found
    except NotFound:
        return None


def names(client: ChefClient) -> frozenset[str]:
    """The paths of all nodes and clients that the server has."""
    kinds = ("/nodes", "/clients")
    return frozenset(f"{kind}/{name}" for kind in kinds for name in client.get(kind))


def public_key(client: ChefClient, name: str) -> str | None:
    """The public key of a client, empty if the server does not show it; None without the client."""
    found = find(client, f"/clients/{name}")
    if found is None:
        return None
    # In the client itself in API version 0 and goiardi; from version 1 on at a path of its own.
    separate = {} if found.get("public_key") else find(client, f"/clients/{name}/keys/default")
    return str(found.get("public_key") or (separate or {}).get("public_key", ""))


def forget(client: ChefClient, name: str) -> bool:
    """Delete the node and its client from the server; returns whether one of them existed."""
    there = False
    for path in (f"/nodes/{name}", f"/clients/{name}"):
        try:
            client.delete(path)
            there = True
        except NotFound:
            continue
    return there


def place(node: Node) -> dict[str, Any]:
    """The fields of the node object that the manifest sets: run list and environment, or policy."""
    if node.policy_name:
        return {"policy_name": node.policy_name, "policy_group": node.policy_group}
    run_list = list(dict.fromkeys(node.run_list))  # chef-client saves no entry twice
    return {"run_list": run_list, "chef_environment": node.environment}


def outdated(client: ChefClient, nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Those of ``nodes`` whose object differs from what :func:`wanted` says.

    A node that is not registered has no object.
    """
    there = client.get("/nodes")
    registered = [node for node in nodes if node.name in there]
    found = parallel_map(lambda node: find(client, f"/nodes/{node.name}"), registered)
    return tuple(
        node
        for node, its in zip(registered, found, strict=True)
        if its is not None and its != wanted(its, node)
    )


def wanted(found: Mapping[str, Any], node: Node) -> Mapping[str, Any]:
    """The node object with the fields of :func:`place`, and the address that others search for.

    A node that has no address there yet saves it at its next converge.
    """
    normal = found.get("normal") or {}
    its = normal.get("openstack") or {}
    if node.address and "address" in its:
        normal = {**normal, "openstack": {**its, "address": str(node.address)}}
        return {**found, **place(node), "normal": normal}
    return {**found, **place(node)}


def synchronize(client: ChefClient, node: Node) -> None:
    """Update the node object from the manifest; its other attributes stay as they are."""
    path = f"/nodes/{node.name}"
    found = client.get(path)
    if (right := wanted(found, node)) != found:
        client.put(path, right)


def register(
    client: ChefClient, node: Node, key: str, attributes: Mapping[str, Any], tags: Sequence[str]
) -> None:
    """Make the client with the public ``key`` (PEM) and a new node object, as knife does.

    ``attributes`` are the node's normal ones. An existing client gets the new key; an existing node
    object is replaced, as it describes another machine or half a bootstrap. The node object is made
    first, because a chef-client that can log in makes a missing one, without a run list.
    """
    made = _node(node, attributes, tags)
    try:
        client.post("/nodes", made, repeat=True)
    except Conflict:
        _make_anew(client, made)
    _make_client(client, node.name, key)
    _permit(client, node.name)


def _make_anew(client: ChefClient, made: Mapping[str, Any]) -> None:
    """Replace the node object that exists."""
    path = f"/nodes/{made['name']}"
    try:
        client.delete(path)
    except NotFound:
        pass
    try:
        client.post("/nodes", made, repeat=True)
    except Conflict:  # an earlier try made it, but its answer was lost
        client.put(path, made)


def _node(node: Node, attributes: Mapping[str, Any], tags: Sequence[str]) -> dict[str, Any]:
    """The object as knife makes it, which always adds the tags that it is given."""
    normal = {**attributes, "tags": list(tags)} if tags else dict(attributes)
    whole = {
        "name": node.name,
        "chef_environment": "_default",
        "json_class": "Chef::Node",
        "automatic": {},
        "normal": normal,
        "chef_type": "node",
        "default": {},
        "override": {},
        "run_list": [],
    }
    return {**whole, **place(node)}


def _make_client(client: ChefClient, name: str, key: str) -> None:
    body = {"name": name, "admin": False, "public_key": key}
    try:
        client.post("/clients", body, repeat=True)
        return
    except Conflict:
        pass
    path = f"/clients/{name}"
    found = client.get(path)
    try:
        if found.get("public_key"):
            # goiardi speaks version 1, but takes a PUT of /keys/default for one of the client, and
            # renames it to "default".
            client.put(path, {**found, "public_key": key})
        else:
            default = {"name": "default", "public_key": key, "expiration_date": "infinity"}
            client.put(f"{path}/keys/default", default)
    except Refused:  # the server can't replace keys: a new client, like knife's
        client.delete(path)
        client.post("/clients", body, repeat=True)


def _permit(client: ChefClient, name: str) -> None:
    """Give the client the permissions that the maker of the node has.

    Servers without access control lists have nothing at ``_acl``.
    """
    path = f"/nodes/{name}/_acl"
    lists = find(client, path) or {}
    for permission in PERMISSIONS:
        entry = lists.get(permission)
        if entry and name not in entry.get("actors", ()):
            wanted = {"actors": [*entry["actors"], name], "groups": entry["groups"]}
            client.put(f"{path}/{permission}", {permission: wanted})
