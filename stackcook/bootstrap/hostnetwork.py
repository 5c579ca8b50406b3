"""Gives a host its interfaces by Chef, and confirms them by a new login: else it goes back."""

from __future__ import annotations

import threading
from typing import Any

from stackcook.bootstrap.cards import Card, chosen
from stackcook.bootstrap.converge import run_recipe
from stackcook.bootstrap.onnode import NodeTask
from stackcook.bootstrap.preflight import HostFacts
from stackcook.errors import NodeError
from stackcook.manifest.model import HOST_NETWORK_COOKBOOK, Interface
from stackcook.remote.base import as_root

COMMAND = "/usr/local/sbin/openstack-host-network"
"""The cookbook's script on the host, which switches and goes back."""

PATIENCE = 180.0
"""Seconds until the host must have been switched, or must have gone back: it needs about 90."""

LOGIN = 15.0
"""Seconds that a login may take: a busy host is slow, and has 60 s."""

_REMEDY = "correct `interfaces` in the manifest, then run the command again"
_LOOK = "look at `ip address` on its console, then run the command again"
_GOING_ON = ("staged", "switching", "trying", "reverting")


def set_up(task: NodeTask, facts: HostFacts | None) -> str:
    """Give the node's host its interfaces; its ``facts`` tell which network cards are meant.

    Chef's connection may break, or hang, meanwhile. Raises NodeError if Chef's run has failed, or
    if the host has gone back to its old interfaces.
    """
    interfaces = task.node.interfaces
    # In a container, where cards keep their names, each has the name that it needs.
    cards = chosen(interfaces, facts.cards)[0] if facts and facts.renames else {}
    wanted = {each.name: attributes(each, cards.get(each.name)) for each in interfaces}
    failed: NodeError | None = None
    try:
        run_recipe(task, HOST_NETWORK_COOKBOOK, {"host_network": {"interfaces": wanted}})
    except NodeError as error:
        failed = error
    changed = _confirm(task, failed)
    names = ", ".join(wanted)
    return f"{names}: {'changed' if changed else 'as described'}"


def attributes(interface: Interface, card: Card | None) -> dict[str, Any]:
    """The interface as the resource ``openstack_host_network`` takes it."""
    kind = interface.kind.value.removesuffix("s")
    found = {
        "kind": kind,
        "mac": card.mac if card else None,
        "interfaces": list(interface.interfaces),
        "mode": interface.mode,
        "lacp_rate": interface.lacp_rate,
        "transmit_hash_policy": interface.transmit_hash_policy,
        "id": interface.id,
        "link": interface.link,
        "mtu": interface.mtu,
        "addresses": [str(address) for address in interface.addresses],
        "gateway": str(interface.gateway) if interface.gateway else None,
        "routes": [
            {"to": route.to, "via": str(route.via), "metric": route.metric}
            for route in interface.routes
        ],
        "dhcp4": interface.dhcp4,
    }
    return {key: value for key, value in found.items() if value not in (None, [], False)}


def _confirm(task: NodeTask, failed: NodeError | None) -> bool:
    """Confirm a switch that the host has begun; returns whether there was one.

    If there was none, raises ``failed``, the error of Chef's run.

    Every try is a new login: a connection that is open may work where no new one would. The first
    one that finds the host switched is not the one that confirms, as it may be older than that.
    """
    context, name = task.context, task.node.name
    over = threading.Event()
    deadline = context.clock() + PATIENCE
    state, why, begun = "", "", False
    with context.underway.noting() as note:
        note(over.set)
        while not over.is_set() and context.clock() < deadline:
            try:
                state, reason = _ask(task, "confirm" if state == "trying" else "state")
            except NodeError as error:
                why = error.what
                context.pause(1.0)
                continue
            if state in _GOING_ON:
                begun = True
                context.pause(0.0 if state == "trying" else 1.0)
                continue
            if failed and not begun and not (state == "reverted" and why):
                raise failed
            if state == "reverted":
                raise NodeError(_cut_off(reason, why), where=name, remedy=_REMEDY)
            return begun
    what = "it is not known whether the host has its new interfaces"
    raise NodeError(f"{what} ({why or state})", where=name, remedy=_LOOK)


def _ask(task: NodeTask, verb: str) -> tuple[str, str]:
    """The state of the switch, and the reason for it, by a new login. Raises NodeError."""
    context = task.context
    with context.login(task.host, context.known_hosts, timeout=LOGIN) as remote:
        command = f"if test -x {COMMAND}; then {COMMAND} {verb}; else echo none; fi"
        done = as_root(remote, command, timeout=15, apart=True)
    if done.status:
        raise NodeError(f"{COMMAND} fails ({done.quoted})", where=task.node.name)
    state, _, reason = done.output.strip().partition(" ")
    return state, reason


def _cut_off(reason: str, why: str) -> str:
    """What is wrong with the new interfaces; ``why`` is the error of the last login."""
    old = "the host has gone back to the old ones"
    if "confirmed" in reason:
        return f"no new SSH login worked with the new interfaces, so {old} ({why})"
    return f"the new interfaces do not work, so {old}: {reason}"
