"""Whom the nodes' firewall lets in, and how it lets in a new node."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_interface
from typing import Any

import pytest

from stackcook.bootstrap.bootstrap import Bootstrap
from stackcook.bootstrap.converge import from_manifest
from stackcook.bootstrap.firewall import Firewall, let_in, recorded
from stackcook.bootstrap.preflight import HostFacts
from stackcook.errors import Position
from stackcook.manifest.model import Interface, InterfaceKind, Node
from tests.unit.bootstrap.fakes import ONE, Setting

AT = Position(1, 1)
OBJECTS: dict[str, Any] = {"known": {"automatic": {"ipaddress": "10.0.115.40"}}}


def node(name: str, address: str = "", **others: Any) -> Node:
    return Node(name, AT, address=ip_address(address) if address else None, **others)


def firewall(*nodes: Node, on: bool = True) -> Firewall:
    def lookup(name: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = OBJECTS.get(name)
        return found

    return Firewall(nodes, on, lookup)


def facts(addresses: str) -> HostFacts:
    return HostFacts({"addresses": addresses}, "http://chef", 0.0)


def test_a_node_lets_in_all_nodes_of_its_environment() -> None:
    lan = Interface("lan0", InterfaceKind.ETHERNET, addresses=(ip_interface("10.9.0.12/24"),))
    nodes = (
        node("controller", "10.0.115.10"),
        node("compute2", "10.0.115.12", interfaces=(lan,)),
        node("compute1", "10.0.115.11"),
        node("other", "10.0.115.99", environment="other"),
    )
    given = firewall(*nodes).attributes(nodes[0])
    addresses = "10.0.115.10 10.0.115.11 10.0.115.12 10.9.0.12"
    assert given == {"enabled": True, "nodes": addresses}


def test_without_an_address_in_the_manifest_the_host_says_it_and_else_the_chef_server() -> None:
    nodes = node("host"), node("known"), node("new")
    mine = firewall(*nodes)
    mine.note(nodes[0], facts("10.0.115.20 10.9.0.20 169.254.254.254 fd00::20 fe80::1"))
    assert mine.addresses(nodes[0]) == ("10.0.115.20", "10.9.0.20", "fd00::20")
    assert mine.addresses(nodes[1]) == ("10.0.115.40",)
    assert mine.addresses(nodes[2]) == ()


def test_if_no_address_is_known_recipes_search_for_the_nodes() -> None:
    new = node("new")
    assert firewall(new).attributes(new) == {"enabled": True}


def test_turned_off_nodes_are_told_so() -> None:
    assert firewall(ONE, on=False).attributes(ONE) == {"enabled": False}


def test_every_run_of_chef_gets_the_addresses_as_one_text(setting: Setting) -> None:
    two = node("two", "10.0.115.11", environment=ONE.environment)
    context = replace(setting.context, firewall=firewall(ONE, two))
    found = from_manifest(context, ONE)["openstack"]["firewall"]
    assert found == {"enabled": True, "nodes": "10.0.115.10 10.0.115.11"}


def test_a_machine_in_somebody_s_cloud_searches_for_the_nodes(setting: Setting) -> None:
    context = replace(setting.context, firewall=firewall(ONE))
    assert from_manifest(context, replace(ONE, provider="ec2", address=None)) == {}


def test_preflight_notes_the_addresses_of_a_host(setting: Setting) -> None:
    setting.shell.fit += "addresses=10.0.115.77\n"
    host = replace(ONE, address=None)
    mine = firewall(host)
    Bootstrap(replace(setting.context, firewall=mine)).look(host, setting.host)
    assert mine.addresses(host) == ("10.0.115.77",)


def test_who_is_missing() -> None:
    nodes = node("a", "10.0.115.10"), node("b", "10.0.115.1")
    mine, controller = firewall(*nodes), node("controller")
    assert mine.missing(controller, nodes, "10.0.115.10 10.0.115.12") == ("10.0.115.1",)
    assert mine.missing(controller, nodes, "10.0.115.10 10.0.115.1") == ()
    assert mine.missing(node("other", environment="other"), nodes, "") == ()


def test_only_nodes_with_a_firewall_are_recorded() -> None:
    class Chef:
        def post(self, path: str, keys: Mapping[str, Any]) -> Any:
            assert keys["nodes"] == ["openstack", "firewall", "nodes"]
            found = (
                {"name": "a", "unit": {"ports": []}, "nodes": "10.0.115.10"},
                {"name": "b", "unit": {"ports": []}, "nodes": None},
                {"name": "c", "unit": None, "nodes": "10.0.115.10"},
            )
            return {"rows": [{"data": each} for each in found]}

    assert recorded(Chef()) == {"a": "10.0.115.10", "b": ""}  # type: ignore[arg-type]


TABLE = """\
table inet openstack {
  set nodes4 { type ipv4_addr; flags interval; elements = { 10.0.115.10, 10.1.0.0/24 } }
  set nodes6 { type ipv6_addr; flags interval; }
}
"""


@pytest.mark.skipif(not shutil.which("nft"), reason="nft is not installed")
@pytest.mark.parametrize("loaded", [True, False])
def test_the_script_adds_what_is_not_in_the_table_also_for_the_next_boot(
    tmp_path: Any, loaded: bool
) -> None:
    """In a network namespace of its own."""
    file = tmp_path / "saved.nft"
    script = let_in(["10.0.115.11", "10.1.0.7", "fd00::11"])
    script = script.replace("/etc/openstack-firewall.nft", str(file))
    (tmp_path / "table.nft").write_text(TABLE if loaded else "")
    both = f"set -e; nft -f {tmp_path}/table.nft; ( {script}\n)"
    if loaded:
        both += f"\nnft -f {file}; nft list table inet openstack"
    done = subprocess.run(["unshare", "--net", "sh", "-c", both], capture_output=True, text=True)
    if "Operation not permitted" in done.stderr:
        pytest.skip("only root may make a network namespace")
    assert done.returncode == 0, done.stderr
    if loaded:
        assert "10.0.115.10, 10.0.115.11" in done.stdout
        assert "10.1.0.0/24" in done.stdout and "10.1.0.7" not in done.stdout
        assert "fd00::11" in done.stdout
    assert file.exists() == loaded
