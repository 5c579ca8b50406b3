"""Existing hosts."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from stackcook.cli.terminal import Terminal
from stackcook.command import Secret
from stackcook.errors import MachineError, Position, UsageError
from stackcook.machines.factory import machines_for
from stackcook.machines.ssh import SshMachines
from stackcook.manifest.knifeoptions import parse
from stackcook.manifest.model import MachineKind, Manifest, Node
from stackcook.operations import site
from stackcook.remote.base import Access, HostKeys

AT = Position(1, 1)
LOOPBACK = IPv4Address("127.0.0.1")


def configure(home: Path, text: str) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "config").write_text(text)


def machines(home: Path, *nodes: Node, server: IPv4Address | None = None) -> SshMachines:
    path = Path("/somewhere/infrastructure.yml")
    manifest = Manifest(path, "lab", nodes=nodes, machines=MachineKind.SSH, server_address=server)
    return SshMachines(manifest, home)


def test_hosts_are_as_the_manifest_says(tmp_path: Path) -> None:
    node = Node("web", AT, address=LOOPBACK, user="debian", key=tmp_path / "key", port=2222)
    (host,) = machines(tmp_path, node).hosts([node]).values()
    assert (host.name, host.address, host.user) == ("web", "127.0.0.1", "debian")
    assert (host.keys, host.port) == ((tmp_path / "key",), 2222)


def test_user_and_key_have_defaults(tmp_path: Path) -> None:
    configure(tmp_path, "")
    key = tmp_path / ".ssh" / "id_rsa"
    key.touch()
    node = Node("web", AT, address=LOOPBACK)
    (host,) = machines(tmp_path, node).hosts([node]).values()
    assert (host.user, host.keys, host.port) == ("root", (key,), 22)
    assert host.host_keys is HostKeys.ASK and key.with_name("known_hosts") in host.known_hosts


def test_a_host_is_what_ssh_of_its_name_reaches(tmp_path: Path) -> None:
    configure(
        tmp_path,
        "Host web*\n HostName 192.0.2.7\n User debian\n Port 2222\n IdentityFile /lab\n"
        " ProxyJump me@jump\n",
    )
    node = Node("web", AT)
    (host,) = machines(tmp_path, node).hosts([node]).values()
    assert (host.address, host.user, host.port) == ("192.0.2.7", "debian", 2222)
    assert host.keys == (Path("/lab"),)
    assert host.gateway and (host.gateway.user, host.gateway.address) == ("me", "jump")
    given = replace(node, user="root", port=22, key=Path("/own"))
    (host,) = machines(tmp_path, given).hosts([given]).values()
    assert (host.user, host.port, host.keys) == ("root", 22, (Path("/own"),))


def test_options_of_knife_lead_everything_to_the_host(tmp_path: Path) -> None:
    configure(tmp_path, "Host jump\n HostName 192.0.2.1\n User me\n")
    text = "-P pw --use-sudo-password -G jump --ssh-verify-host-key accept_new"
    node = Node("web", AT, address=LOOPBACK, options=parse(text))
    (host,) = machines(tmp_path, node).hosts([node]).values()
    assert host.password == host.become == Secret("pw")
    assert host.host_keys is HostKeys.NEW
    gateway = host.gateway
    assert gateway and (gateway.user, gateway.address) == ("me", "192.0.2.1")
    assert gateway.password is gateway.become is None


def test_a_sudo_password_that_was_asked_for_is_used(tmp_path: Path) -> None:
    node = Node("web", AT, address=LOOPBACK, options=parse("--use-sudo-password"))
    asked = replace(machines(tmp_path, node), access=Access(become=Secret("root")))
    (host,) = asked.hosts([node]).values()
    assert (host.password, host.become) == (None, Secret("root"))


def test_a_configuration_that_is_wrong_stops_before_anything_else(tmp_path: Path) -> None:
    configure(tmp_path, "Host web\n Port many\n")
    node = Node("web", AT, address=LOOPBACK)
    with pytest.raises(UsageError, match=rf"{tmp_path}/.ssh/config:2: Bad port 'many'"):
        machines(tmp_path, node).up([node], print)


def test_the_server_address_is_on_the_route_to_the_nodes(tmp_path: Path) -> None:
    node = Node("web", AT, address=LOOPBACK)
    assert machines(tmp_path, node).server_address() == LOOPBACK
    given = IPv4Address("192.0.2.1")
    assert machines(tmp_path, node, server=given).server_address() == given


def test_a_node_without_a_route_is_not_in_the_way_of_the_others(tmp_path: Path) -> None:
    """Like one whose name does not resolve; no packet is ever sent to this address."""
    broken = Node("db", AT, address=IPv4Address("255.255.255.255"))
    node = Node("web", AT, address=LOOPBACK)
    assert machines(tmp_path, broken, node).server_address() == LOOPBACK
    with pytest.raises(MachineError, match="no route to 255.255.255.255"):
        machines(tmp_path, broken).server_address()


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


def test_hosts_get_the_external_network_of_the_manifest(tmp_path: Path) -> None:
    made = machines(tmp_path)
    assert made.attributes() == {}
    network = IPv4Network("10.7.0.0/24")
    manifest = replace(made.manifest, external_network=network, external_interface="enp2s0")
    assert replace(made, manifest=manifest).attributes() == {
        "network": {
            "provider": {"interface": "enp2s0"},
            "external": {
                "cidr": "10.7.0.0/24",
                "gateway": "10.7.0.1",
                "pool": {"start": "10.7.0.100", "end": "10.7.0.199"},
            },
        }
    }


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


def test_passphrases_are_asked_for_even_if_new_host_keys_are_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(site, "make_ready", lambda hosts, *_: asked.extend(h.name for h in hosts))
    node = Node("web", AT, address=LOOPBACK)
    path = tmp_path / "infrastructure.yml"
    manifest = Manifest(path, "lab", nodes=(node,), machines=MachineKind.SSH)
    ours = site.Site(manifest, Access(accept_new=True, agent=""))
    ours.make_ready(None)
    assert asked == []
    ours.make_ready(Terminal())
    assert asked == ["web"]
