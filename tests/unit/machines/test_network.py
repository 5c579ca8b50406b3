"""The lab's network: what is done to the kernel's tables, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from stackcook.command import Command, Completed
from stackcook.errors import ExitCode, MachineError
from stackcook.machines.network import LabNetwork
from tests.unit.machines.fakes import ETH0, FakeHost
from tests.unprivileged import unprivileged

RANGE = IPv4Network("10.9.0.0/24")


def lab(host: FakeHost, owner: Path = Path("/")) -> LabNetwork:
    return LabNetwork("lab", RANGE, owner, host.run)


def bridge(alias: str) -> dict[str, Any]:
    addresses = [{"local": "10.9.0.1", "prefixlen": 24}]
    return {"ifname": "br-lab", "ifalias": alias, "addr_info": addresses}


def test_the_unreachable_route_comes_first_and_goes_last() -> None:
    host = FakeHost()
    lab(host).up()
    assert host.done == [
        "ip route replace unreachable 10.9.0.0/24 metric 1000000",
        "ip link add br-lab type bridge",
        "ip link set br-lab alias /",
        "ip address replace 10.9.0.1/24 dev br-lab",
        "ip link set br-lab up",
        "nft -f -",
    ]
    assert 'ip saddr 10.9.0.0/24 oifname != "br-lab" masquerade' in host.rules[0]
    host.done.clear()
    host.links = [ETH0, bridge("/")]
    lab(host).down()
    assert host.done == [
        "nft -f -",
        "ip link delete br-lab",
        "ip route delete unreachable 10.9.0.0/24",
    ]


def test_the_external_network_has_a_bridge_and_rules_of_its_own() -> None:
    host = FakeHost(way="ex-lab")
    external = replace(lab(host), key="external_network")
    external.up()
    assert host.done == [
        "ip route replace unreachable 10.9.0.0/24 metric 1000000",
        "ip link add ex-lab type bridge",
        "ip link set ex-lab alias /",
        "ip address replace 10.9.0.1/24 dev ex-lab",
        "ip link set ex-lab up",
        "nft -f -",
    ]
    assert "table ip stackcook-lab_external {" in host.rules[0]
    nodes = 'iifname "br-lab" oifname "ex-lab" accept'
    others = 'iifname != "ex-lab" oifname "ex-lab" ct state new drop'
    assert f"    {nodes}\n    {others}\n" in host.rules[0]
    host.routes = [{"dst": "10.0.0.0/8", "dev": "tun0"}]
    with pytest.raises(MachineError) as caught:
        external.up()
    assert caught.value.what == "the lab's external network is in use: 10.0.0.0/8 is routed to tun0"
    assert caught.value.remedy == "use another `name` and `external_network` in this manifest"


def test_instances_reach_the_apis_they_signal_to_and_nothing_else_on_nodes() -> None:
    host = FakeHost()
    lab(host).up()
    accept = 'iifname "ex-lab" oifname "br-lab" tcp dport { 5000, 8004, 13000, 13004 } accept'
    drop = 'iifname != "br-lab" oifname "br-lab" ct state new drop'
    assert f"    {accept}\n    {drop}\n" in host.rules[0]


def test_a_network_is_found_by_its_bridge() -> None:
    external = replace(lab(FakeHost()), key="external_network")
    assert external.as_found() is None
    addresses = [{"local": "10.9.8.1", "prefixlen": 25}]
    there = FakeHost(links=[ETH0, {"ifname": "ex-lab", "addr_info": addresses}])
    found = replace(external, run=there.run).as_found()
    assert found and (found.network, found.bridge) == (IPv4Network("10.9.8.0/25"), "ex-lab")


def test_forwarding_is_switched_on_only_where_it_is_off() -> None:
    host = FakeHost(forwarding="0\n")
    lab(host).up()
    assert "sysctl -q -w net.ipv4.ip_forward=1" in host.done


def test_a_bridge_that_is_there_is_not_added_again() -> None:
    host = FakeHost(links=[ETH0, bridge("/")], routes=[{"dst": "10.9.0.0/24", "dev": "br-lab"}])
    lab(host).up()
    assert "ip link add br-lab type bridge" not in host.done


def test_a_bridge_whose_owner_is_gone_is_adopted() -> None:
    host = FakeHost(links=[ETH0, bridge("/no/such/checkout")])
    lab(host).up()
    assert "ip link set br-lab alias /" in host.done


@pytest.mark.parametrize(
    ("host", "what"),
    [
        (
            FakeHost(links=[bridge("/tmp")]),
            "br-lab already exists; run `stackcook -f /tmp/infrastructure.yml destroy`, or use",
        ),
        (
            FakeHost(links=[{**bridge("/tmp"), "ifname": "br-other"}]),
            "of 10.9.0.0/24; run `stackcook -f /tmp/infrastructure.yml destroy`, or use",
        ),
        (
            FakeHost(routes=[{"dst": "10.0.0.0/8", "dev": "tun0"}]),
            "10.0.0.0/8 is routed to tun0; use another `name` and `network` in this manifest",
        ),
    ],
)
def test_what_somebody_else_holds_is_refused_before_anything_is_done(
    host: FakeHost, what: str
) -> None:
    with pytest.raises(MachineError) as caught:
        lab(host).up()
    assert what in str(caught.value)
    assert caught.value.exit_code is ExitCode.MACHINES
    assert host.done == []


def test_a_bridge_that_another_lab_makes_meanwhile_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = FakeHost()
    run = host.run

    def meanwhile(command: Command, **rest: Any) -> Completed:
        done = run(command, **rest)
        if "link" in command.argv:
            addresses = [{"local": "10.9.0.1", "prefixlen": 24}]
            host.links = [ETH0, {"ifname": "br-other", "addr_info": addresses}]
        return done

    monkeypatch.setattr(host, "run", meanwhile)
    with pytest.raises(MachineError, match="in use: br-other has addresses of 10.9.0.0/24"):
        lab(host).up()
    assert host.done == []


def test_the_bridge_of_another_checkout_is_left_alone() -> None:
    host = FakeHost(links=[bridge("/tmp")])
    lab(host).down()
    assert host.done == []


def test_the_bridge_of_a_hidden_checkout_is_left_alone(tmp_path: Path) -> None:
    (theirs := tmp_path / "hidden" / "theirs").mkdir(parents=True)
    theirs.parent.chmod(0)
    host = FakeHost(links=[bridge(str(theirs))])
    with unprivileged():
        lab(host).down()
        with pytest.raises(MachineError, match="the bridge br-lab already exists"):
            lab(host).up()
    theirs.parent.chmod(0o700)
    assert host.done == []


def test_another_lab_keeps_the_route_of_its_range() -> None:
    host = FakeHost(links=[{**bridge("/tmp"), "ifname": "br-other"}])
    lab(host).down()
    assert host.done == ["nft -f -"]


def test_the_guard_refuses_a_way_that_is_not_the_bridge() -> None:
    with pytest.raises(MachineError, match="10.9.0.7 would leave through eth0, not through br-lab"):
        lab(FakeHost(way="eth0")).guard([IPv4Address("10.9.0.7")])
    lab(FakeHost()).guard([IPv4Address("10.9.0.7")])


INTERRUPTED = Completed(0, "[]", "Dump was interrupted and may be inconsistent.\n")


def test_interfaces_that_come_and_go_are_asked_for_again() -> None:
    half = Completed(0, '[{"ifname": "eth0", "addr_in', "Device does not exist\n")
    host = FakeHost(garbled=[INTERRUPTED, half, INTERRUPTED])
    lab(host).up()
    assert not host.garbled and "ip link set br-lab up" in host.done
    host = FakeHost(links=[{"ifname": "dying0"}, ETH0])
    lab(host).up()


def test_output_that_can_not_be_read_is_quoted() -> None:
    host = FakeHost(garbled=[Completed(0, "Usage: ip\n  token=hunter2\n", "")] * 99)
    with pytest.raises(MachineError) as caught:
        lab(host).up()
    assert str(caught.value).startswith("br-lab: cannot read the output of `")
    assert " -json -4 link show` (Usage: ip token=****); run this" in str(caught.value)


def test_a_program_that_fails_is_one_line_with_its_words() -> None:
    with pytest.raises(MachineError, match=r"^br-lab: `.*nft -f -` failed \(no such luck\); "):
        try:
            lab(FakeHost(fails="nft")).up()
        except MachineError as error:
            raise MachineError(str(error)) from error
