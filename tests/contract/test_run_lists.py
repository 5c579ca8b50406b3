"""The run lists of registered nodes are set on real Chef servers, as knife does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from stackcook.bootstrap import objects
from stackcook.chef.rest.client import ChefClient
from stackcook.command import Completed
from stackcook.manifest.model import Node
from tests.contract.conftest import AT
from tests.contract.servers import wait

ADDED = ("role[base]", "role[object-storage]", "recipe[ntp::default]", "recipe[app@1.2.0]")

# How the node of Swift's proxy finds the storage nodes: libraries/helpers.rb of its cookbook.
STORAGE = (
    r"(recipes:openstack-object-storage\:\:storage OR"
    r" run_list:recipe\[openstack-object-storage\:\:storage\] OR"
    r" run_list:role\[object-storage\]) AND chef_environment:lab"
)


def stored(client: ChefClient, name: str) -> dict[str, Any]:
    """A new node object, as a converge leaves it."""
    made = {
        "name": name,
        "json_class": "Chef::Node",
        "chef_type": "node",
        "chef_environment": "_default",
        "run_list": ["role[base]"],
        "automatic": {"recipes": ["base"], "roles": ["base"], "ipaddress": "192.0.2.1"},
        "normal": {"tags": ["a"], "openstack": {"address": "192.0.2.1"}},
        "default": {"base": {"x": [1, 2.5, None, True, "ü"]}},
        "override": {"mysql": {"port": 3306}},
    }
    client.post("/nodes", made)
    return made


def found(client: ChefClient, query: str) -> set[str]:
    return {row["name"] for row in client.get(f"/search/node?q={quote(query)}")["rows"]}


def test_a_run_list_is_set_as_by_knife(client: ChefClient, knife: Callable[..., Completed]) -> None:
    nodes = [Node(name, AT, ADDED, "lab") for name in ("one", "new")]
    before = stored(client, "one")
    stored(client, "two")
    assert objects.outdated(client, nodes) == (nodes[0],)
    objects.synchronize(client, nodes[0])
    assert objects.outdated(client, nodes) == ()
    for arguments in (
        ("run_list", "set", "two", ",".join(ADDED)),
        ("environment", "set", "two", "lab"),
    ):
        done = knife("node", *arguments)
        assert done.status == 0, done.output
    after = client.get("/nodes/one")
    assert after == {**client.get("/nodes/two"), "name": "one"}
    assert {field: after[field] for field in before} == {
        **before,
        "run_list": list(ADDED),
        "chef_environment": "lab",
    }


def test_nodes_are_found_before_they_converge(client: ChefClient) -> None:
    storage = ("role[base]", "role[object-storage]")
    recipe = ("recipe[openstack-object-storage::storage]",)
    nodes = [
        Node("by-role", AT, storage, "lab"),
        Node("by-recipe", AT, recipe, "lab"),
        Node("elsewhere", AT, storage, "prod"),
        Node("neither", AT, ("role[base]",), "lab"),
    ]
    for node in nodes:
        stored(client, node.name)
        objects.synchronize(client, node)
    wait(lambda: found(client, "chef_environment:lab") == {"by-role", "by-recipe", "neither"})
    assert found(client, STORAGE) == {"by-role", "by-recipe"}
    for node in nodes:
        objects.synchronize(client, replace(node, run_list=("role[base]",)))
    wait(lambda: not found(client, STORAGE))


def test_when_nodes_have_checked_in(client: ChefClient) -> None:
    for name in ("one", "new"):
        stored(client, name)
    node = client.get("/nodes/one")
    node["automatic"] |= {"ohai_time": 1764405000.25}
    client.put("/nodes/one", node)
    wait(lambda: objects.check_ins(client) == {"one": 1764405000.25})


def test_which_nodes_a_deploy_has_converged(client: ChefClient) -> None:
    for name in ("one", "foreign"):
        stored(client, name)
    node = client.get("/nodes/one")
    node["normal"]["stackcook"] = {"deploy": "d-1"}
    client.put("/nodes/one", {**node, "chef_environment": "lab"})
    wait(lambda: objects.deployed(client) == {"one": "lab"})
