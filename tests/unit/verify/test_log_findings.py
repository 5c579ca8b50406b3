"""From what the logs of nodes have to checks."""

from __future__ import annotations

from typing import Any

import pytest

from stackcook.command import Completed
from stackcook.errors import NodeError, VerifyError
from stackcook.verify.logs import findings, known
from stackcook.verify.logs.findings import NodeLogs
from stackcook.verify.logs.scan import Group

LOG = "/var/log/nova/nova-compute.log"
TRACEBACK = Group("traceback", LOG, "DBError: lost connection 12", 1795867848.0, 3)


def failures(**logs: NodeLogs) -> list[Any]:
    return [check for check in findings.checks(logs)[0] if not check.ok]


def test_an_event_of_two_nodes_is_one_finding() -> None:
    later = TRACEBACK._replace(text="DBError: lost connection 7", first=1795867900.0, times=1)
    (check,) = failures(compute1=NodeLogs((later,)), compute2=NodeLogs((TRACEBACK,)))
    assert (check.name, check.node) == (f"traceback in the log of {LOG}", "compute2")
    assert check.cause == (
        "DBError: lost connection 12 (3 times on compute2, 1 time on compute1, "
        "first at 2026-11-28 12:10:48 UTC)"
    )
    assert check.remedy == f"read it with `stackcook ssh compute2 -- sudo less {LOG}`"


def test_many_restarts_are_a_crash_loop() -> None:
    restart = Group("restart", "nova-api", "Failed with result 'x'", 5.0, 2)
    names = [
        failures(controller=NodeLogs((restart._replace(times=count),)))[0].name for count in (2, 3)
    ]
    assert names == ["restart in the log of nova-api", "crash loop in the log of nova-api"]


def test_the_journal_is_where_a_units_messages_are() -> None:
    (check,) = failures(controller=NodeLogs((Group("crash", "nova-api", "x", 5.4, 1),)))
    assert "sudo journalctl -u nova-api --since @5`" in check.remedy


def test_events_that_are_not_shown_are_a_failure() -> None:
    (check,) = failures(controller=NodeLogs(more=3))
    assert check.cause == "3 more kinds of errors"


class Node:
    def __init__(self, output: str | NodeError) -> None:
        self.output = output
        self.stdin = ""

    def become(self) -> None:
        return None

    def run(self, command: str, *, stdin: str, **_: Any) -> Completed:
        self.stdin = stdin
        assert "python3 - 30" in command
        if isinstance(self.output, NodeError):
            raise self.output
        return Completed(0, self.output)


def test_the_program_is_sent_to_the_node() -> None:
    node: Any = Node('{"groups": [["crash", "x", "y", 1.5, 2]], "more": 1, "lines": 7}')
    assert findings.read(node, 30.4) == NodeLogs((Group("crash", "x", "y", 1.5, 2),), 1, 7)
    assert "def main(since: float)" in node.stdin


@pytest.mark.parametrize("output", ["sh: 1: python3: not found", NodeError("the disk is gone")])
def test_a_node_that_can_not_read_its_logs_says_why(output: Any) -> None:
    node: Any = Node(output)
    with pytest.raises(VerifyError, match="python3: not found|the disk is gone"):
        findings.read(node, 30)


def test_known_messages_have_reasons() -> None:
    assert all(len(each.reason) > 20 for each in known.KNOWN)
    assert known.reason("libvirtd: no dmidecode") and not known.reason("x: boom")
