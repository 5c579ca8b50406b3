"""Says what OVN and Open vSwitch know of an instance's port, if the instance gets no address."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from stackcook.verify.placing import OVN_NORTHD, Placed, running

Row = Mapping[str, Any]

Ask = Callable[[Placed, str], str]
"""Node and shell command → what it prints as root; ``""`` if the node can't be asked."""


def explain(port: str, node: Placed, nodes: Sequence[Placed], ask: Ask) -> str:
    """Why the Neutron port ``port`` of an instance on ``node`` gets nothing from OVN's DHCP.

    Where all is as it should be: how many packets the instance has sent and received. ``""`` if
    no node could be asked.
    """
    why = ""
    for central in running(nodes, OVN_NORTHD):  # they have OVN's databases, too
        why = why or _in_databases(port, partial(ask, central))
    return why or _in_switch(port, node, lambda command: ask(node, command))


def _in_databases(port: str, ask: Callable[[str], str]) -> str:
    row = _find(
        ask, "ovn-nbctl --no-leader-only", "dhcpv4_options", f"Logical_Switch_Port name={port}"
    )
    if row is not None and not row.get("dhcpv4_options"):
        what = "no DHCP options for its port" if row else "no such port"
        return f"OVN's northbound database has {what}"
    row = _find(
        ask, "ovn-sbctl --no-leader-only", "chassis,up", f"Port_Binding logical_port={port}"
    )
    if row is not None and not row.get("chassis"):
        return "no ovn-controller has claimed its port"
    if row and row["up"] is not True:
        return "ovn-controller has not set up the flows of its port"
    return ""


def _in_switch(port: str, node: Placed, ask: Callable[[str], str]) -> str:
    interface = f"Interface external_ids:iface-id={port}"
    row = _find(ask, "ovs-vsctl", "error,admin_state,name,statistics", interface)
    if row is None:
        return ""
    if not row:
        return f"Open vSwitch on {node.name} has no interface for its port"
    if row["error"]:
        return f"Open vSwitch on {node.name} cannot use its interface: {row['error']}"
    if row["admin_state"] == "down":
        return f"its interface {row['name']} on {node.name} is down"
    counts = row["statistics"]
    sent, received = counts.get("rx_packets", 0), counts.get("tx_packets", 0)
    return f"Open vSwitch has counted {sent} packets from it and {received} to it"


def _find(ask: Callable[[str], str], program: str, columns: str, what: str) -> Row | None:
    """The columns of one row; empty if there is no such row, None if the node did not say."""
    try:
        answer = json.loads(ask(f"{program} --format=json --columns={columns} find {what}"))
        rows, names = answer["data"], answer["headings"]
    except (ValueError, KeyError, TypeError):
        return None
    return dict(zip(names, map(_value, rows[0]))) if rows else {}


def _value(value: Any) -> Any:
    """A column's value, None for an empty set. The JSON is that of RFC 7047, section 5.1."""
    match value:
        case ["set", []]:
            return None
        case ["map", pairs]:
            return dict(pairs)
    return value
