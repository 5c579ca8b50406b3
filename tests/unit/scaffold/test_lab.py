"""Which nodes, addresses and settings a new manifest gets, and what can't be made."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from stackcook.errors import UsageError
from stackcook.manifest.model import MachineKind
from stackcook.scaffold.emit import as_data
from stackcook.scaffold.lab import Lab, head, sections

SSH = MachineKind.SSH
HOSTS = tuple(IPv4Address(f"192.0.2.{number}") for number in (7, 3, 5))


def lab(computes: int | None = None, machines: MachineKind | None = None, **others: Any) -> Lab:
    return Lab.of(computes, machines, **others)


def settings(made: Lab) -> dict[str, Any]:
    found: dict[str, Any] = as_data(sections(made, ["apt"]))["stackcook"]
    return found


@pytest.mark.parametrize(
    "computes, network, first, last",
    [
        (1, None, "10.0.112.10", "10.0.112.11"),
        (244, None, "10.0.112.10", "10.0.112.254"),
        (245, None, "10.0.112.2", "10.0.112.247"),  # from 10 on there is no room for them
        (252, None, "10.0.112.2", "10.0.112.254"),
        (300, "172.16.0.0/23", "172.16.0.10", "172.16.1.54"),
        (4, "10.9.0.0/29", "10.9.0.2", "10.9.0.6"),
    ],
)
def test_addresses(computes: int, network: str | None, first: str, last: str) -> None:
    made = lab(computes, network=network and IPv4Network(network))
    assert (str(made.addresses[0]), str(made.addresses[-1])) == (first, last)
    assert len(set(made.addresses)) == len(made.nodes) == computes + 1


@pytest.mark.parametrize(
    "computes, network, what, remedy",
    [
        (
            253,
            "10.0.112.0/24",
            "the network 10.0.112.0/24 has addresses for 253 nodes, but 254 are needed",
            "/23",
        ),
        (
            5,
            "10.9.0.8/29",
            "the network 10.9.0.8/29 has addresses for 5 nodes, but 6 are needed",
            "10.9.0.0/28",
        ),
        (
            1,
            "10.0.0.0/32",
            "the network 10.0.0.0/32 has addresses for 0 nodes, but 2 are needed",
            "10.0.0.0/29",
        ),
        (
            1 << 25,
            "10.0.0.0/8",
            "the network 10.0.0.0/8 has addresses for 16,777,213",
            "use fewer nodes",
        ),
    ],
)
def test_addresses_run_out(computes: int, network: str, what: str, remedy: str) -> None:
    with pytest.raises(UsageError) as error:
        _ = lab(computes, network=IPv4Network(network)).addresses
    assert error.value.what.startswith(what)
    assert error.value.remedy.endswith(remedy)


def test_vagrant_s_machines_have_sizes_and_a_network() -> None:
    assert settings(lab(1, name="demo")) == {
        "name": "demo",
        "machines": "vagrant",
        "network": "10.0.112.0/24",
        "external_network": "10.0.113.0/24",
        "nodes": {
            "controller": {"address": "10.0.112.10", "memory": 8192, "cpus": 2},
            "compute1": {"address": "10.0.112.11", "memory": 4096, "cpus": 2},
        },
        "stages": ["single-controller", "single-compute"],
    }


@pytest.mark.parametrize(
    "network, external",
    [
        ("10.0.112.0/24", "10.0.113.0/24"),
        ("10.9.0.16/28", "10.9.1.0/24"),
        ("172.16.0.0/22", "172.16.4.0/24"),
        ("192.168.255.0/24", "10.0.113.0/24"),  # the next one is public
        ("10.0.0.0/8", "172.16.113.0/24"),
        ("255.255.255.0/24", "10.0.113.0/24"),
    ],
)
def test_the_external_network_is_beside_the_network(network: str, external: str) -> None:
    made = settings(lab(1, network=IPv4Network(network)))
    assert made["external_network"] == external


def test_an_external_network_of_your_own_or_none() -> None:
    own = settings(lab(1, external_network=IPv4Network("10.7.0.0/25")))
    assert own["external_network"] == "10.7.0.0/25"
    none = lab(1, no_external_network=True)
    assert "external_network" not in settings(none)
    assert "external_network" not in str(sections(none, [])[-1].comments)
    assert "external_network" not in settings(lab(machines=SSH))
    network = IPv4Network("10.7.0.0/25")
    hosts = settings(lab(machines=SSH, external_network=network, external_interface="enp2s0"))
    assert (hosts["external_network"], hosts["external_interface"]) == ("10.7.0.0/25", "enp2s0")


def test_hosts_are_reached_as_was_said() -> None:
    made = lab(hosts=HOSTS, user="debian", key="~/.ssh/lab")
    login = {"user": "debian", "key": "~/.ssh/lab"}
    assert settings(made) == {
        "name": "stackcook",
        "machines": "ssh",
        "nodes": {
            "controller": {"address": "192.0.2.7", **login},
            "compute1": {"address": "192.0.2.3", **login},
            "compute2": {"address": "192.0.2.5", **login},
        },
        "stages": ["single-controller", "single-compute"],
    }


def test_hosts_that_are_only_counted_are_said_to_be() -> None:
    made = lab(machines=SSH)
    assert settings(made)["nodes"] == {
        "controller": {"address": "10.0.112.10"},
        "compute1": {"address": "10.0.112.11"},
    }
    assert "REPLACE THESE EXAMPLE ADDRESSES" in sections(made, [])[-1].comments[0]


def test_a_controller_alone() -> None:
    made = lab(0)
    assert settings(made)["stages"] == ["single-controller"]
    assert head(made)[0] == "A cloud: a controller."


@pytest.mark.parametrize(
    "given, what",
    [
        (
            {"computes": 3, "hosts": HOSTS},
            "a controller and 3 compute nodes: the number of --host",
        ),
        (
            {"computes": 0, "hosts": HOSTS},
            "a controller: the number of --host options is 3",
        ),
        ({"machines": MachineKind.VAGRANT, "hosts": HOSTS}, "--host is only for existing hosts"),
        (
            {"hosts": HOSTS, "external_network": IPv4Network("10.7.0.0/25")},
            "--external-network needs the interface of the hosts on it",
        ),
        (
            {"no_external_network": True, "external_network": IPv4Network("10.7.0.0/25")},
            "--external-network and --no-external-network cannot be combined",
        ),
        ({"machines": MachineKind.VAGRANT, "user": "me"}, "--user is only for existing hosts"),
        ({"machines": MachineKind.VAGRANT, "key": "k"}, "--key is only for existing hosts"),
    ],
)
def test_what_excludes_each_other(given: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError) as error:
        lab(**given)
    assert error.value.what.startswith(what)


def test_three_controllers_share_the_address_before_theirs() -> None:
    made = settings(lab(2, controllers=3))
    assert made["virtual_address"] == "10.0.112.9"
    assert list(made["nodes"]) == [
        "controller1",
        "controller2",
        "controller3",
        "compute1",
        "compute2",
    ]
    assert made["nodes"]["controller1"] == {"address": "10.0.112.10", "memory": 6144, "cpus": 2}
    assert made["nodes"]["compute2"]["address"] == "10.0.112.14"
    assert made["stages"] == ["ha-controller", "single-compute"]
    assert head(lab(2, controllers=3))[0] == "A cloud: 3 controllers and 2 compute nodes."


def test_the_controllers_of_each_zone_share_an_address() -> None:
    made = settings(lab(1, zones=2, controllers=3))
    assert made["virtual_address"] == {"zone1": "10.0.112.8", "zone2": "10.0.112.9"}
    assert made["nodes"]["zone1-controller1"]["address"] == "10.0.112.10"
    assert list(made["nodes"])[4] == "zone2-controller1"


def test_a_small_network_has_room_for_the_shared_address() -> None:
    made = settings(lab(1, controllers=3, network=IPv4Network("10.9.0.0/29")))
    assert made["virtual_address"] == "10.9.0.2"
    assert made["nodes"]["controller1"]["address"] == "10.9.0.3"
    with pytest.raises(UsageError, match="has addresses for 4 nodes, but 5 are needed"):
        settings(lab(2, controllers=3, network=IPv4Network("10.9.0.0/29")))


def test_controllers_on_hosts_share_an_address_that_is_given() -> None:
    shared = (IPv4Address("192.0.2.9"),)
    made = settings(lab(controllers=3, hosts=HOSTS, virtual_addresses=shared))
    assert made["virtual_address"] == "192.0.2.9" and len(made["nodes"]) == 3
    for options in (
        {"controllers": 3, "hosts": HOSTS},
        {"controllers": 3, "hosts": HOSTS, "virtual_addresses": 2 * shared},
        {"virtual_addresses": shared},
    ):
        with pytest.raises(UsageError, match="the number of --virtual-address options is"):
            lab(**options)


@pytest.mark.parametrize("number", [2, 4])
def test_an_even_number_of_controllers_is_refused(number: int) -> None:
    with pytest.raises(UsageError, match=f"{number} controllers have no quorum .*use 3"):
        lab(controllers=number)
