"""Existing hosts."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from stackcook.errors import MachineError, Position
from stackcook.machines.factory import machines_for
from stackcook.machines.ssh import SshMachines
from stackcook.manifest.model import MachineKind, Manifest, Node

AT = Position(1, 1)
LOOPBACK = IPv4Address("127.0.0.1")


def machines(keys: Path, *nodes: Node, server: IPv4Address | None = None) -> SshMachines:
    path = Path("/somewhere/infrastructure.yml")
    manifest = Manifest(path, "lab", nodes=nodes, machines=MachineKind.SSH, server_address=server)
    return SshMachines(manifest, keys)


def test_hosts_are_as_the_manifest_says(tmp_path: Path) -> None:
    node = Node("web", AT, address=LOOPBACK, user="debian", key=tmp_path / "key", port=2222)
    (host,) = machines(tmp_path, node).hosts([node]).values()
    assert (host.name, host.address, host.user) == ("web", "127.0.0.1", "debian")
    assert (host.key, host.port) == (tmp_path / "key", 2222)


def test_user_and_key_have_defaults(tmp_path: Path) -> None:
    (tmp_path / "id_rsa").touch()
    node = Node("web", AT, address=LOOPBACK)
    (host,) = machines(tmp_path, node).hosts([node]).values()
    assert (host.user, host.key, host.port) == ("root", tmp_path / "id_rsa", 22)


def test_missing_keys_and_addresses_are_reported(tmp_path: Path) -> None:
    node = Node("web", AT, address=LOOPBACK)
    with pytest.raises(MachineError, match="no SSH key found in"):
        machines(tmp_path, node).up([node], print)
    node = Node("web", AT, key=tmp_path)
    with pytest.raises(MachineError, match="has no address"):
        machines(tmp_path, node).up([node], print)


def test_the_server_address_is_on_the_route_to_the_nodes(tmp_path: Path) -> None:
    node = Node("web", AT, address=LOOPBACK)
    assert machines(tmp_path, node).server_address() == LOOPBACK
    given = IPv4Address("192.0.2.1")
    assert machines(tmp_path, node, server=given).server_address() == given


def test_ssh_goes_to_the_ssh_address_and_the_cloud_to_the_address(tmp_path: Path) -> None:
    """As behind 1:1 NAT: no interface of the host has the address that SSH connects to."""
    nat = IPv4Address("127.0.0.9")
    node = Node("web", AT, address=LOOPBACK, ssh_address=nat, key=tmp_path / "key")
    named = replace(node, name="db", ssh_address="localhost")
    hosts = machines(tmp_path, node, named)
    assert [host.address for host in hosts.hosts([node, named]).values()] == [
        "127.0.0.9",
        "localhost",
    ]
    assert hosts.server_address() == LOOPBACK
    assert [each["address"] for each in hosts.describe()["machines"]] == ["127.0.0.9", "localhost"]
    with socket.create_server((str(nat), 0)) as server:
        port = server.getsockname()[1]
        assert hosts.states([replace(node, port=port)]) == {"web": "running"}


def test_hosts_without_an_address_are_reached_by_name(tmp_path: Path) -> None:
    cloud = Node("web01", AT, provider="ec2")
    node = Node("web", AT, host="localhost", key=tmp_path / "key")
    hosts = machines(tmp_path, cloud, node)
    assert hosts.hosts([node])["web"].address == "localhost"
    assert hosts.server_address() == LOOPBACK
    assert machines(tmp_path, cloud).server_address() == LOOPBACK


def test_a_manifest_of_clouds_only_needs_no_vagrant(tmp_path: Path) -> None:
    cloud = Node("web01", AT, provider="ec2")
    manifest = Manifest(tmp_path / "infrastructure.yml", "lab", nodes=(cloud,))
    assert isinstance(machines_for(manifest), SshMachines)


def test_a_host_runs_if_something_listens_at_its_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        up = Node("up", AT, address=LOOPBACK, port=server.getsockname()[1])
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        down = Node("down", AT, address=LOOPBACK, port=port)
        named = replace(up, name="named", address=None, host="localhost")
        nodes = up, down, named, replace(named, name="nameless", host="")
        assert machines(tmp_path, *nodes).states(nodes) == {
            "up": "running",
            "down": "unreachable",
            "named": "running",
            "nameless": "unreachable",
        }


def test_nothing_is_made_or_deleted(tmp_path: Path) -> None:
    node = Node("web", AT, address=LOOPBACK, key=tmp_path)
    hosts = machines(tmp_path, node)
    hosts.prepare()
    hosts.up([node], print)
    hosts.destroy([node], print)
    hosts.tear_down()
