"""Whether members of RabbitMQ and OVN are one cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stackcook.verify import clusters
from stackcook.verify.placing import Placed, Service

QUEUE = Service("rabbitmq-server", (5672,), internal_ports=(5672, 25672))
NB = Service("ovn-ovsdb-server-nb", (6641,), internal_ports=(6641, 6643))
NODES = tuple(
    Placed(name, address, services=(QUEUE, NB))
    for name, address in (("one", "10.0.116.10"), ("two", "10.0.116.11"))
)
STATUS = """\
Name: OVN_Northbound
Status: cluster member
Role: follower
Leader: 24e3
Servers:
    24e3 (24e3 at ssl:10.0.116.10:6643) last msg 166 ms ago
    3125 (3125 at ssl:10.0.116.11:6643) (self)
"""


def queue(*running: str, partitions: Any = None) -> str:
    names = [f"rabbit@{address}" for address in running]
    return json.dumps({"running_nodes": names, "partitions": partitions or {}})


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (queue("10.0.116.10", "10.0.116.11"), ""),
        (queue("10.0.116.10"), "it is in no cluster with two"),
        (
            queue("10.0.116.10", "10.0.116.11", partitions={"rabbit@10.0.116.10": ["x"]}),
            "the message queue's cluster is partitioned",
        ),
        ("", "RabbitMQ does not say what its cluster is"),
    ],
)
def test_the_queue(status: str, cause: str) -> None:
    assert clusters.queue_cause(status, NODES) == cause


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (STATUS, ""),
        (STATUS.replace("24e3 (24e3", "x ("), "it is in no cluster with one"),
        (STATUS.replace("Leader: 24e3", "Leader: unknown"), "its cluster has no leader"),
        (STATUS.replace("cluster member", "joining cluster"), "it is not a member of a cluster"),
        ("", "it is not a member of a cluster"),
    ],
)
def test_a_database_of_ovn(status: str, cause: str) -> None:
    found = clusters.database_cause(status, NODES)
    assert found.startswith(cause) and bool(found) == bool(cause)


class Answers:
    """Sessions whose nodes answer each command with the same text."""

    def __init__(self, **by_word: str) -> None:
        self._by_word = by_word

    def output(self, node: str, command: str, timeout: float = 10.0) -> str:
        return next(text for word, text in self._by_word.items() if word in command)


def test_each_member_has_a_check() -> None:
    sessions: Any = Answers(rabbitmqctl=queue("10.0.116.10"), ovnnb=STATUS)
    found = clusters.checks(NODES, sessions)
    assert [(check.name, check.node, check.ok) for check in found] == [
        ("queue cluster", "one", False),
        ("queue cluster", "two", False),
        ("OVN_Northbound cluster", "one", True),
        ("OVN_Northbound cluster", "two", True),
    ]
    assert found[0].cause == "it is in no cluster with two"


def test_a_cloud_with_one_controller_has_none() -> None:
    alone = Placed("one", "10.0.116.10", services=(Service("rabbitmq-server", (5672,)),))
    sessions: Any = Answers()
    assert clusters.checks((alone,), sessions) == ()
