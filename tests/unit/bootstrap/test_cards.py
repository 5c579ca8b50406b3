"""Which network card of a host an interface means, and what preflight says of the others."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface

import pytest

from stackcook.bootstrap import preflight
from stackcook.bootstrap.cards import chosen, read_cards
from stackcook.bootstrap.needs import Wanted
from stackcook.manifest.model import Interface, InterfaceKind, Match

SAID = {
    "card eno1": "52:54:00:00:00:01 0000:02:00.0 1000 enp2s0",
    "card enp1s0": "52:54:00:00:00:02 0000:01:00.0 10000",
    "card enp9s0": "52:54:00:00:00:03 0000:09:00.0 -",
    "interfaces": "lo",
}
CARDS = read_cards(SAID)


def ethernet(match: Match | None, name: str = "lan0") -> Interface:
    return Interface(name, InterfaceKind.ETHERNET, match)


@pytest.mark.parametrize(
    "match, name, card",
    [
        (None, "eno1", "eno1"),
        (None, "enp2s0", "eno1"),
        (Match(name="enp9*"), "lan0", "enp9s0"),
        (Match(macaddress="52:54:00:00:00:02"), "lan0", "enp1s0"),
        (Match(speed=10000), "lan0", "enp1s0"),
        (Match(order=1), "lan0", "enp1s0"),
        (Match(order=2), "lan0", "eno1"),
        (Match(name="enp*", order=3), "lan0", "enp9s0"),
    ],
)
def test_a_card_is_found(match: Match | None, name: str, card: str) -> None:
    found, wrong = chosen([ethernet(match, name)], CARDS)
    assert found[name].name == card and not wrong


@pytest.mark.parametrize(
    "match, why",
    [
        (Match(name="wlan*"), "lan0: it has no network card with the name wlan*, only enp1s0 ("),
        (Match(name="en*"), "lan0: it has several network cards with the name en*: enp1s0 (52:54"),
        (Match(speed=100), "lan0: it has no network card with 100 Mbit/s, only enp1s0 (52:54:00:"),
        (Match(order=4), "lan0: it has only 3 of the 4 network cards of any kind"),
    ],
)
def test_what_is_wrong_is_said(match: Match, why: str) -> None:
    found, (what,) = chosen([ethernet(match)], CARDS)
    assert not found and what.startswith(why)


def test_two_interfaces_are_two_cards() -> None:
    _, wrong = chosen([ethernet(Match(order=1)), ethernet(Match(speed=10000), "lan1")], CARDS)
    assert wrong == ["lan1: enp1s0 is lan0 already"]


def test_a_name_that_another_card_has_cannot_be_given() -> None:
    _, wrong = chosen([ethernet(Match(order=1), "eno1")], CARDS)
    assert wrong == ["eno1: another network card is called eno1"]
    both = [ethernet(Match(order=1), "eno1"), ethernet(Match(order=2), "enp1s0")]
    assert chosen(both, CARDS)[1] == [], "they change places"


HOST = (
    "uid=0\nid=debian\nversion=13\nrelease=Debian 13\nhost=one\nclient=yes\ntime=5000\n"
    "total=2097152\nserver=reached\ninterfaces=lo eth0 eth1\naddresses=10.0.0.7\n"
    "on eth0= 10.0.0.7/24\ncard eth0=52:54:00:00:00:01 0000:01:00.0 1000\n"
    "card eth1=52:54:00:00:00:02 0000:02:00.0 1000\nudev=yes\nnetwork=networkd\n"
    "module bonding=yes\nmodule 8021q=yes\n"
)
ADDRESS = ip_interface("10.0.0.7/24")
BOND = Interface("bond0", InterfaceKind.BOND, interfaces=("lan0", "lan1"), addresses=(ADDRESS,))
VLAN = Interface("storage", InterfaceKind.VLAN, id=100, link="bond0")
DESCRIBED = (ethernet(Match(order=1)), ethernet(Match(order=2), "lan1"), BOND, VLAN)
WANTED = Wanted(address="10.0.0.7", ssh="10.0.0.7", interfaces=DESCRIBED)


def problems(host: str, wanted: Wanted = WANTED) -> list[tuple[str, str]]:
    facts = preflight.read(host, "http://10.0.0.1:4545", 5000.0)
    found = preflight.judge("one", facts, wanted)
    return [
        (each.id, each.what) for each in found if each.id in ("address", "interface", "network")
    ]


def test_a_host_that_can_have_its_interfaces_has_no_findings() -> None:
    assert problems(HOST) == []


@pytest.mark.parametrize(
    "old, new, problem",
    [
        ("network=networkd\n", "", "neither systemd-networkd nor ifupdown configures its network"),
        ("module bonding=yes\n", "", "bond0: its kernel has no module bonding"),
        ("module 8021q=yes\n", "", "storage: its kernel has no module 8021q"),
        ("udev=yes\n", "", "lan0: eth0 cannot be called lan0, as udev does not run on it"),
        ("card eth1", "other", "lan1: it has only 1 of the 2 network cards of any kind"),
    ],
)
def test_what_a_host_lacks_for_its_interfaces(old: str, new: str, problem: str) -> None:
    assert old in HOST
    assert ("network", problem) in problems(HOST.replace(old, new))


def test_the_address_that_ssh_uses_must_stay() -> None:
    bond = replace(BOND, addresses=(ip_interface("10.0.0.8/24"),))
    wanted = replace(WANTED, interfaces=(*DESCRIBED[:2], bond, VLAN))
    lost = "SSH reaches it at 10.0.0.7, which eth0 would not have any more"
    assert problems(HOST, wanted) == [("network", lost)]
    asks = replace(bond, dhcp4=True)
    assert problems(HOST, replace(wanted, interfaces=(*DESCRIBED[:2], asks, VLAN))) == []
    other = replace(wanted, interfaces=(ethernet(None, "eth1"),))
    assert problems(HOST, other) == [], "eth0 stays as it is"


def test_an_address_may_come_with_the_description() -> None:
    vlan = replace(VLAN, addresses=(ip_interface("10.1.0.7/24"),))
    wanted = replace(WANTED, address="10.1.0.7", interfaces=(*DESCRIBED[:3], vlan))
    assert problems(HOST, wanted) == []


@pytest.mark.parametrize("bridged, count", [("bridged=eth1 br-ex", 0), ("bridged=", 1), ("", 1)])
def test_the_interface_of_the_external_network_has_no_address_of_its_own(
    bridged: str, count: int
) -> None:
    """Once it is in the bridge, the host is not reached there any more: then it may stay."""
    host = f"{HOST}on eth1= 192.0.2.5/24 2001:db8::5/64\n{bridged}\n"
    what = (
        "eth1 is for the external network: its address 192.0.2.5/24 and 2001:db8::5/64 would no"
        " longer work"
    )
    wanted = Wanted(address="10.0.0.7", ssh="10.0.0.7", interface="eth1")
    assert problems(host, wanted) == [("interface", what)] * count
    assert problems(host, replace(wanted, interfaces=(ethernet(None, "eth1"),))) == []


def test_the_interface_of_the_external_network_may_be_described_but_not_used() -> None:
    assert problems(HOST, replace(WANTED, interface="storage")) == []
    taken = replace(WANTED, interface="lan1")
    found = "lan1 is for the external network, but also part of bond0"
    assert problems(HOST, taken) == [("interface", found)]
    found = "bond0 is for the external network, but `interfaces` gives it addresses"
    assert problems(HOST, replace(WANTED, interface="bond0")) == [("interface", found)]
