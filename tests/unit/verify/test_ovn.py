"""What OVN and Open vSwitch say of an instance's port, in the JSON that they print."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stackcook.verify.instance import ovn
from stackcook.verify.placing import OVN_NORTHD, Placed, Service

CONTROLLER = Placed("controller", "10.0.116.10", services=(Service(OVN_NORTHD),))
COMPUTE = Placed("compute1", "10.0.116.11")
UUID = ["uuid", "6fb0a2f0-5a1b-4f3c-9d0c-0a1b2c3d4e5f"]
NONE = ["set", []]


def table(**row: Any) -> str:
    return json.dumps({"data": [list(row.values())], "headings": list(row)})


COUNTED = ["map", [["rx_packets", 20], ["tx_packets", 4]]]
GOOD = {
    "ovn-nbctl": table(dhcpv4_options=UUID),
    "ovn-sbctl": table(chassis=UUID, up=True),
    "ovs-vsctl": table(error=NONE, admin_state="up", name="tap1", statistics=COUNTED),
}
EMPTY = json.dumps({"data": [], "headings": []})


@pytest.mark.parametrize(
    ("program", "answer", "why"),
    [
        ("", "", "Open vSwitch has counted 20 packets from it and 4 to it"),
        (
            "ovn-nbctl",
            table(dhcpv4_options=NONE),
            "OVN's northbound database has no DHCP options for its port",
        ),
        ("ovn-nbctl", EMPTY, "OVN's northbound database has no such port"),
        ("ovn-sbctl", table(chassis=NONE, up=NONE), "no ovn-controller has claimed its port"),
        (
            "ovn-sbctl",
            table(chassis=UUID, up=False),
            "ovn-controller has not set up the flows of its port",
        ),
        ("ovs-vsctl", EMPTY, "Open vSwitch on compute1 has no interface for its port"),
        (
            "ovs-vsctl",
            table(error=NONE, admin_state="down", name="tap1", statistics=COUNTED),
            "its interface tap1 on compute1 is down",
        ),
        (
            "ovs-vsctl",
            table(error="could not open network device tap1", statistics=["map", []]),
            "Open vSwitch on compute1 cannot use its interface: could not open network device tap1",
        ),
        ("ovn-nbctl", "ovn-nbctl: database connection failed\n", "Open vSwitch has counted 20 "),
        ("ovs-vsctl", "", ""),
    ],
)
def test_what_a_port_lacks_is_said(program: str, answer: str, why: str) -> None:
    answers = {**GOOD, program: answer}
    asked: list[tuple[str, str]] = []

    def ask(node: Placed, command: str) -> str:
        asked.append((node.name, command))
        return answers[command.split()[0]]

    found = ovn.explain("port-1", COMPUTE, (CONTROLLER, COMPUTE), ask)
    assert found.startswith(why) and bool(found) == bool(why)
    assert {(name, command.split()[0]) for name, command in asked} <= {
        ("controller", "ovn-nbctl"),
        ("controller", "ovn-sbctl"),
        ("compute1", "ovs-vsctl"),
    }
    assert all(command.endswith("=port-1") for _, command in asked)
