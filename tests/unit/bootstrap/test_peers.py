"""What shows only beside other nodes: host names, siblings, tunnels and packet sizes."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from stackcook.bootstrap import peers
from stackcook.bootstrap.compare import hostnames, siblings
from stackcook.bootstrap.needs import Need, Wanted
from stackcook.bootstrap.peers import Links
from stackcook.bootstrap.preflight import HostFacts

COMPUTE = Wanted(Need(tunnels=True))


def facts(**said: str) -> HostFacts:
    return HostFacts({name.replace("_", " "): value for name, value in said.items()}, "", 0)


def named(
    hosts: Mapping[str, str],
    nodes: Iterable[str] = ("a", "b", "c"),
    known: Mapping[str, Iterable[str]] = {},
) -> list[tuple[str, str, str]]:
    found = hostnames({node: facts(host=host) for node, host in hosts.items()}, nodes, known)
    return [(each.node, each.id, each.what) for each in found]


def test_each_host_has_the_name_of_its_node() -> None:
    assert named({"a": "a", "b": "B.example.com", "c": "localhost"}) == []


def test_two_hosts_with_the_same_name_are_both_named() -> None:
    assert named({"a": "debian", "b": "Debian", "c": "c"}) == [
        ("a", "hostname-duplicate", 'its hostname is "debian", as that of b'),
        ("b", "hostname-duplicate", 'its hostname is "debian", as that of a'),
    ]


def test_a_host_with_the_name_of_a_node_that_is_not_inspected() -> None:
    ((node, id, what),) = named({"c": "b"})
    assert (node, id, what) == (
        "c",
        "hostname-duplicate",
        'its hostname "b" is the name of another node',
    )
    ((node, id, what),) = named({"c": "debian"}, known={"b": {"debian", "debian.local"}})
    assert (node, id) == ("c", "hostname-duplicate") and "as that of b" in what


def test_a_name_that_is_not_the_node_s_is_a_warning_until_the_cloud_knows_another() -> None:
    assert named({"a": "srv17"}) == [("a", "hostname-differs", 'its hostname is "srv17"')]
    assert named({"a": "srv17"}, known={"a": {"srv17"}}) == [], "now it has to keep it"
    ((_, id, what),) = named({"a": "srv18"}, known={"a": {"srv17"}})
    assert id == "hostname-changed" and 'the cloud knows it as "srv17"' in what
    ((_, id, what),) = named({"a": "a"}, known={"a": {"debian"}})
    assert id == "hostname-changed" and 'the cloud knows it as "debian"' in what


def test_hosts_that_the_cloud_knows_by_the_same_name_may_get_their_own() -> None:
    known = {"a": {"a", "a.example.com"}, "b": {"a", "a.example.com"}}
    assert named({"a": "a", "b": "b"}, known=known) == []
    assert [id for _, id, _ in named({"a": "x", "b": "b"}, known=known)] == ["hostname-changed"]
    assert named({"a": "a", "b": "b"}, known={"a": {"debian"}, "b": {"debian"}}) == []


def test_the_remedy_names_the_command() -> None:
    (found,) = hostnames({"a": facts(host="debian")}, ["a"], {})
    command = "set it on a: hostnamectl set-hostname a"
    assert found.to_do == f"{command}, or add --set-hostnames to `stackcook deploy`"
    (found,) = hostnames({"a": facts(host="debian", ours="yes")}, ["a"], {})
    assert found.to_do == command
    (found,) = hostnames({"a": facts(host="new", ours="yes")}, ["a"], {"a": ["old"]})
    assert found.to_do == "set the old name again on a: hostnamectl set-hostname old"


def test_a_host_that_differs_from_its_siblings() -> None:
    good = facts(total="8000000", cpus="4", release="Debian 13")
    odd = facts(total="4100000", cpus="2", release="Debian 13")
    hosts = {"a": good, "b": good, "c": odd, "d": odd}
    assert list(siblings(hosts, [["a", "b"], ["d"]])) == []
    found = [(each.node, each.what) for each in siblings(hosts, [["a", "b", "c", "x"]])]
    assert found == [
        ("c", "memory: 4 GiB, but 2 of 3 hosts with its run list have 8 GiB"),
        ("c", "CPUs: 2, but 2 of 3 hosts with its run list have 4"),
    ]
    assert list(siblings({"a": good, "b": facts()}, [["a", "b"]])) == []


def test_hardware_that_differs_from_that_of_the_siblings() -> None:
    said = {
        "model": "R640",
        "disk sda": "1875000000 0 A",
        "card eno1": "52:54:00:00:00:01 0000:3b:00.0 10000",
    }
    good = HostFacts(said, "", 0)
    alike = HostFacts(
        {
            **said,
            "disk sda": "1876000000 0 B",
            "card eno1": "1 0000:3b:00.0 10000",
            "card veth1": "3 - 1",
        },
        "",
        0,
    )
    odd = HostFacts(
        {"model": "R740", "disk sda": "900000000 1 A", "card eno1": "2 0000:3b:00.0 1000"}, "", 0
    )
    found = siblings({"a": good, "b": alike, "c": odd}, [["a", "b", "c"]])
    others = "but 2 of 3 hosts with its run list have"
    assert [(each.node, each.what) for each in found] == [
        ("c", f"model: R740, {others} R640"),
        ("c", f"disks: 460 GB, {others} 960 GB"),
        ("c", f"network cards: 1000 Mbit/s, {others} 10000 Mbit/s"),
    ]


def cloud(computes: int) -> tuple[dict[str, HostFacts], dict[str, Wanted]]:
    nodes = ["controller", *(f"c{n}" for n in range(computes))]
    wanted = {node: replace(COMPUTE, address=f"10.0.0.{n}") for n, node in enumerate(nodes)}
    wanted["controller"] = Wanted(Need(ports={"network": 9696}), address="10.0.0.0")
    return {node: facts() for node in nodes}, wanted


def test_each_node_tests_its_controllers_and_its_neighbours() -> None:
    hosts, wanted = cloud(40)
    found = peers.links(list(hosts), hosts, wanted)
    assert found["c0"] == Links(("controller", "c39", "c1"), ("c39", "c1"))
    assert "controller" not in found
    assert max(len(link.peers) for link in found.values()) == 3
    for node, link in found.items():
        assert all(node in found[peer].tunnels for peer in link.tunnels), "both ask each other"


def test_two_nodes_and_one() -> None:
    hosts, wanted = cloud(2)
    assert peers.links(list(hosts), hosts, wanted)["c0"] == Links(("controller", "c1"), ("c1",))
    hosts, wanted = cloud(1)
    assert peers.links(list(hosts), hosts, wanted) == {"c0": Links(("controller",), ())}


def test_nodes_that_are_installed_test_nothing_but_are_reached() -> None:
    hosts, wanted = cloud(3)
    hosts["c0"] = hosts["c1"] = facts(ours="yes")
    found = peers.links(list(hosts), hosts, wanted)
    assert found == {"c2": Links(("controller", "c1", "c0"), ())}
    lab = {node: replace(each, lab=True) for node, each in wanted.items()}
    assert peers.links(list(hosts), hosts, lab) == {}


def judged(outputs: Mapping[str, str]) -> list[tuple[str, str, str]]:
    _, wanted = cloud(2)
    return [(each.id, each.node, each.what) for each in peers.judge(outputs, wanted)]


def test_what_the_output_means() -> None:
    outputs = {
        "c0": "mtu 10.0.0.0=1400\nmtu 10.0.0.2=\ntunnel 10.0.0.2=no answer\n",
        "c1": "untested=ping is not installed\n",
    }
    assert judged(outputs) == [
        ("peers", "c1", "ping is not installed"),
        ("mtu", "c0", "packets of 1500 bytes do not reach controller; the limit is 1400"),
        ("mtu", "c0", "packets of 1500 bytes do not reach c1"),
        ("tunnel", "c1", "its UDP port 6081 cannot be reached from c0"),
    ]


def test_one_finding_for_all_peers_that_a_node_does_not_reach() -> None:
    outputs = {
        "c0": "mtu 10.0.0.0=\nmtu 10.0.0.2=\n",
        "controller": "tunnel 10.0.0.2=no answer\n",
        "c1": "",
    }
    outputs["c0"] += "tunnel 10.0.0.2=no answer\n"
    assert judged(outputs) == [
        ("mtu", "c0", "packets of 1500 bytes do not reach c1, controller"),
        ("tunnel", "c1", "its UDP port 6081 cannot be reached from c0, controller"),
    ]


def test_a_node_that_could_not_listen_is_not_to_blame() -> None:
    asked = "tunnel 10.0.0.2=no answer\n"
    assert judged({"c0": asked}) == []
    assert judged({"c0": asked, "c1": "busy=Address already in use\n"}) == []


def said(path: Path | None, tunnels: tuple[str, ...] = (), reached: tuple[str, ...] = ()) -> str:
    names = (*tunnels, *reached)
    wanted = {name: replace(COMPUTE, address=name) for name in names}
    wanted["me"] = replace(COMPUTE, address="127.0.0.1")
    command = peers.command("me", Links(reached, tunnels), wanted, 1)
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"}
    arguments = ["sh", "-c", command]
    return subprocess.run(
        arguments, capture_output=True, text=True, check=True, env=environment
    ).stdout


def test_a_node_that_answers_is_not_mentioned() -> None:
    assert said(None, ("127.0.0.1",)) == ""


def test_a_port_that_does_not_answer() -> None:
    """Something else has the port, and is silent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 6081))
        found = said(None, ("127.0.0.1",))
    assert sorted(found.splitlines()) == [
        "busy=Address already in use",
        "tunnel 127.0.0.1=no answer",
    ]


@pytest.mark.parametrize(
    "ping, found",
    [
        ('case "$*" in *do*1472*) exit 1 ;; esac', "mtu 10.0.0.1=\n"),
        (
            "case $* in *do*) echo 'message too long, mtu=1400'; exit 1 ;; esac",
            "mtu 10.0.0.1=1400\n",
        ),
        ("exit 0", ""),
        ("exit 1", ""),
    ],
)
def test_packets_that_are_too_large(tmp_path: Path, ping: str, found: str) -> None:
    program = tmp_path / "ping"
    program.write_text(f"#!/bin/sh\n{ping}\n")
    program.chmod(0o755)
    assert said(tmp_path, reached=("10.0.0.1",)) == found
