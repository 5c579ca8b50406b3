"""Nodes that a deploy leaves out let the others through their firewalls."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from stackcook.command import Completed
from stackcook.errors import NodeError, Position
from stackcook.manifest.model import ChefServer, MachineKind, Manifest, Node
from stackcook.operations.site import Site
from stackcook.remote.base import Remote
from tests.runner import BaseRemote

NODES = tuple(
    Node(name, Position(1, 1), address=IPv4Address(f"127.0.0.{number}"))
    for number, name in enumerate(("controller", "compute1", "compute2"), 2)
)
ROOT = Path("/nowhere")


@dataclass
class Chef:
    """The node objects of a Chef server, by name."""

    nodes: dict[str, dict[str, Any]]

    def post(self, path: str, keys: Any) -> Any:
        rows = [
            {
                "name": name,
                "unit": each["default"]["openstack"]["services"].get("openstack-firewall"),
                "nodes": each["normal"]["openstack"].get("firewall", {}).get("nodes"),
            }
            for name, each in self.nodes.items()
        ]
        return {"rows": [{"data": row} for row in rows]}

    def get(self, path: str) -> Any:
        return self.nodes[path.removeprefix("/nodes/")]

    def put(self, path: str, value: Any) -> None:
        self.nodes[path.removeprefix("/nodes/")] = value


@dataclass
class Node1(BaseRemote):
    """A node that notes what it is asked."""

    asked: list[str]

    def answer(self, command: str, stdin: str, content: bytes) -> Completed:
        self.asked.append(command)
        return Completed(0, "")


@dataclass
class Others(Site):
    """A site with these node objects; ``dead`` nodes do not answer."""

    client: Any
    asked: dict[str, list[str]] = field(default_factory=dict)
    dead: frozenset[str] = frozenset()
    own_server: Any = ChefServer("http://chef", "me", Path("me.pem"))
    bundle = None

    def __post_init__(self) -> None:
        super().__init__(
            Manifest(ROOT / "infrastructure.yml", "lab", nodes=NODES, machines=MachineKind.SSH)
        )

    def connect(self, node: Node) -> Remote:
        if node.name in self.dead:
            raise NodeError("no SSH server answers", where=node.name)
        return Node1(self.asked.setdefault(node.name, []))


def converged(let_in: str | None) -> dict[str, Any]:
    """A node that has a firewall, and lets in these addresses."""
    firewall = {} if let_in is None else {"firewall": {"enabled": True, "nodes": let_in}}
    services = {"mariadb": {}, "openstack-firewall": {}}
    return {
        "normal": {"openstack": {"address": "127.0.0.2", **firewall}},
        "default": {"openstack": {"services": services}},
    }


def test_a_new_node_is_let_in_and_stays_so_when_chef_runs_by_itself() -> None:
    chef = Chef({"controller": converged("127.0.0.2"), "compute1": converged("127.0.0.2")})
    site = Others(chef)
    assert site.let_in(NODES[1:]) == "controller lets them in"
    assert [*site.asked] == ["controller"]
    (script,) = site.asked["controller"]
    assert "127.0.0.3" in script and "127.0.0.4" in script
    found = chef.nodes["controller"]["normal"]["openstack"]["firewall"]
    assert found == {"enabled": True, "nodes": "127.0.0.2 127.0.0.3 127.0.0.4"}


def test_nothing_is_done_on_nodes_that_know_it_or_have_no_firewall() -> None:
    none = converged("127.0.0.2")
    none["default"]["openstack"]["services"] = {}
    site = Others(Chef({"controller": converged("127.0.0.2 127.0.0.4"), "compute1": none}))
    assert site.let_in(NODES[2:]) == "nothing to do"
    assert site.asked == {}


def test_a_node_that_does_not_answer_is_named() -> None:
    chef = Chef({"controller": converged("127.0.0.2"), "compute1": converged(None)})
    site = Others(chef, dead=frozenset({"controller"}))
    said = "controller does not let them in: no SSH server answers; compute1 lets them in"
    assert site.let_in(NODES[2:]) == said
    assert "firewall" not in chef.nodes["compute1"]["normal"]["openstack"]
