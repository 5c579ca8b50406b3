"""Whether the members of RabbitMQ, and those of each of OVN's databases, are one cluster.

A member is asked on its node. That a node is one, its services say: they have the port at which
members reach each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from functools import partial

from stackcook.errors import VerifyError
from stackcook.verify.check import Check, Checks, timed
from stackcook.verify.placing import QUEUE, Placed
from stackcook.verify.services import Sessions

DATABASES = {
    "ovn-ovsdb-server-nb": ("nb", "OVN_Northbound", 6643),
    "ovn-ovsdb-server-sb": ("sb", "OVN_Southbound", 6644),
}
"""Unit → the database, the name of its schema, and the port at which members reach each other."""

_QUEUE_PORT = 25672
_QUEUE_STATUS = "rabbitmqctl --quiet --timeout 15 cluster_status --formatter json"
_QUEUE_PATIENCE = 30.0
"""Seconds: rabbitmqctl starts an Erlang machine of its own, which needs two seconds of a CPU."""


def checks(nodes: Collection[Placed], sessions: Sessions) -> Checks:
    """One check for each member of each cluster; none in a cloud without clusters."""
    found: list[Check] = []
    members = _members(nodes, QUEUE, _QUEUE_PORT)
    for node in members:
        found.append(
            timed("queue cluster", node.name, QUEUE, partial(_queue, node, members, sessions))
        )
    for unit, (_, schema, port) in DATABASES.items():
        members = _members(nodes, unit, port)
        for node in members:
            name = f"{schema} cluster"
            found.append(
                timed(name, node.name, unit, partial(_database, unit, node, members, sessions))
            )
    return tuple(found)


def _members(nodes: Iterable[Placed], unit: str, port: int) -> list[Placed]:
    found = ((node, node.service(unit)) for node in nodes)
    return [node for node, service in found if service and port in service.internal_ports]


def _queue(node: Placed, members: Iterable[Placed], sessions: Sessions) -> None:
    if why := queue_cause(sessions.output(node.name, _QUEUE_STATUS, _QUEUE_PATIENCE), members):
        raise VerifyError(why, remedy=f"`stackcook ssh {node.name} -- rabbitmqctl cluster_status`")


def _database(unit: str, node: Placed, members: Iterable[Placed], sessions: Sessions) -> None:
    database, schema, _ = DATABASES[unit]
    command = f"ovn-appctl --timeout=8 -t /run/ovn/ovn{database}_db.ctl cluster/status {schema}"
    if why := database_cause(sessions.output(node.name, command), members):
        raise VerifyError(why, remedy=f"`stackcook ssh {node.name} -- {command}`")


def queue_cause(status: str, members: Iterable[Placed]) -> str:
    """Why a RabbitMQ node is not in one cluster with all members; ``""`` if it is.

    ``status`` is rabbitmqctl's JSON, empty if the node did not answer.
    """
    try:
        found = json.loads(status)
        running = {name.partition("@")[2] for name in found["running_nodes"]}
        partitions = found["partitions"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "RabbitMQ does not say what its cluster is"
    if any(dict(partitions).values()):
        return "the message queue's cluster is partitioned"
    missing = [node.name for node in members if node.address not in running]
    return f"it is in no cluster with {', '.join(missing)}" if missing else ""


def database_cause(status: str, members: Iterable[Placed]) -> str:
    """The same for a database of OVN; ``status`` is what ``cluster/status`` prints."""
    if "Status: cluster member" not in status:
        return "it is not a member of a cluster"
    if "Leader: unknown" in status:
        return "its cluster has no leader, so nothing can be written"
    hosts = set(re.findall(r"^ +\w+ \(\w+ at \w+:\[?(.+?)\]?:\d+\)", status, re.MULTILINE))
    missing = [node.name for node in members if node.address not in hosts]
    return f"it is in no cluster with {', '.join(missing)}" if missing else ""
