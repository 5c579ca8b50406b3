"""A node's objects on the Chef server: its client with the public key, and the node object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from stackcook.chef.rest.answers import Conflict, NotFound, Refused
from stackcook.errors import ChefServerError, NodeError, Transient
from stackcook.manifest.model import Node

PERMISSIONS = ("create", "read", "update", "delete", "grant")
"""What the maker of an object may do with it, where the server has access control lists."""


class Lost(NodeError):
    """The Chef server has the node no more: it was killed, and has forgotten its last second."""


class ChefObjects(Protocol):
    """What is needed of the Chef server's client."""

    @property
    def skew(self) -> float:
        """Seconds that this machine's clock is ahead of the server's."""
        ...

    def get(self, path: str) -> Any:
        ...

    def put(self, path: str, value: Any) -> Any:
        ...

    def post(self, path: str, value: Any, *, repeat: bool = False) -> Any:
        ...

    def delete(self, path: str) -> Any:
        ...


@contextmanager
def passing(node: Node) -> Iterator[None]:
    """A Chef server that failed or did not answer is Transient, and names ``node``."""
    try:
        yield
    except ChefServerError as error:
        if not error.transient:
            raise
        where = f"{node.name}: {error.where}"
        raise Transient(error.what, where=where, remedy=error.remedy) from error


@contextmanager
def noticing_loss(client: ChefObjects, node: Node) -> Iterator[None]:
    """Raises Lost where something failed, and the Chef server has no such node or client."""
    try:
        yield
    except (NotFound, NodeError) as error:
        if isinstance(error, Transient) or not _lost(client, node.name):
            raise
        what, remedy = "the Chef server has lost it", "run `stackcook deploy` again"
        raise Lost(what, where=node.name, remedy=remedy) from error


def _lost(client: ChefObjects, name: str) -> bool:
    try:
        return any(find(client, f"/{kind}/{name}") is None for kind in ("nodes", "clients"))
    except ChefServerError:
        return False  # who knows: what has failed is told as it is


def find(client: ChefObjects, path: str) -> Mapping[str, Any] | None:
    """The object at ``path``, None if there is none."""
    try:
        found: Mapping[str, Any] = client.get(path)
        return found
    except NotFound:
        return None


def names(client: ChefObjects) -> frozenset[str]:
    """The paths of all nodes and clients that the server has."""
    kinds = ("/nodes", "/clients")
    return frozenset(f"{kind}/{name}" for kind in kinds for name in client.get(kind))


def public_key(client: ChefObjects, name: str) -> str | None:
    """The public key of a client, empty if the server does not tell; None without such a client."""
    found = find(client, f"/clients/{name}")
    if found is None:
        return None
    # API version 0, and goiardi, have it there; from version 1 on it stands apart.
    apart = {} if found.get("public_key") else find(client, f"/clients/{name}/keys/default")
    return str(found.get("public_key") or (apart or {}).get("public_key", ""))


def forget(client: ChefObjects, name: str) -> bool:
    """Delete the node and its client from the server; whether one of them was there."""
    there = False
    for path in (f"/nodes/{name}", f"/clients/{name}"):
        try:
            client.delete(path)
            there = True
        except NotFound:
            continue
    return there


def place(node: Node) -> dict[str, Any]:
    """What of the node object says where the node belongs, and what it is to become."""
    if node.policy_name:
        return {"policy_name": node.policy_name, "policy_group": node.policy_group}
    return {"run_list": list(node.run_list), "chef_environment": node.environment}


def synchronize(client: ChefObjects, node: Node) -> None:
    """Bring the place of a node object in step with the manifest."""
    path = f"/nodes/{node.name}"
    found = client.get(path)
    wanted = {**found, **place(node)}
    if wanted != found:
        client.put(path, wanted)


def register(
    client: ChefObjects, node: Node, key: str, attributes: Mapping[str, Any], tags: Sequence[str]
) -> None:
    """Make the client with the public ``key`` (PEM), and the node object anew, as knife does.

    ``attributes`` are the node's normal ones. The client of that name gets the new key, the node
    object that was there is gone: it told of another machine, or of half a one. The node
    comes first: a chef-client that may log in makes itself one, without a run list, where the
    server has forgotten it.
    """
    made = _node(node, attributes, tags)
    try:
        client.post("/nodes", made, repeat=True)
    except Conflict:
        _make_anew(client, made)
    _make_client(client, node.name, key)
    _permit(client, node.name)


def _make_anew(client: ChefObjects, made: Mapping[str, Any]) -> None:
    """The node object in place of the one that is there."""
    path = f"/nodes/{made['name']}"
    try:
        client.delete(path)
    except NotFound:
        pass
    try:
        client.post("/nodes", made, repeat=True)
    except Conflict:  # a try before has made it, and the answer got lost
        client.put(path, made)


def _node(node: Node, attributes: Mapping[str, Any], tags: Sequence[str]) -> dict[str, Any]:
    """The object as Chef makes it: knife first asks it for its tags, which puts them in."""
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


def _make_client(client: ChefObjects, name: str, key: str) -> None:
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
    except Refused:  # the server can't replace keys: a new client, as knife makes
        client.delete(path)
        client.post("/clients", body, repeat=True)


def _permit(client: ChefObjects, name: str) -> None:
    """Let the client do with its node what it could if it had made it itself.

    Servers without access control lists have nothing at ``_acl``.
    """
    path = f"/nodes/{name}/_acl"
    lists = find(client, path) or {}
    for permission in PERMISSIONS:
        entry = lists.get(permission)
        if entry and name not in entry.get("actors", ()):
            wanted = {"actors": [*entry["actors"], name], "groups": entry["groups"]}
            client.put(f"{path}/{permission}", {permission: wanted})
