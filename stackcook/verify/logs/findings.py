"""Reads the logs of nodes over SSH, and reports what must not be there as failed checks."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stackcook.errors import NodeError, VerifyError, counted, one_line
from stackcook.redact import Redactor
from stackcook.remote.base import Remote, as_root
from stackcook.verify.check import Check, Checks
from stackcook.verify.logs.known import reason
from stackcook.verify.logs.scan import Group, same

TIMEOUT = 300.0
"""Seconds that a node may take to read its logs."""

SCAN = Path(__file__).with_name("scan.py")
"""The program that finds events, which runs on the node."""

LOOP = 3
"""Restarts of a unit that make a crash loop."""


@dataclass(frozen=True)
class NodeLogs:
    """What a node's logs have: groups of events, how many more there are, how many lines."""

    groups: tuple[Group, ...] = ()
    more: int = 0
    lines: int = 0


@dataclass
class Finding:
    """The same event on one node or more: the earliest group, its node, the number on each node."""

    node: str
    first: Group
    counts: dict[str, int] = field(default_factory=dict)


def read(remote: Remote, since: float) -> NodeLogs:
    """Read a node's logs from ``since`` on, in seconds since the epoch.

    Raises VerifyError if the node can't read its logs, or the connection breaks.
    """
    command = f"nice -n 19 python3 - {since:.0f}"
    try:
        done = as_root(remote, command, stdin=SCAN.read_text(), timeout=TIMEOUT, apart=True)
    except NodeError as error:
        raise VerifyError(error.what, remedy=error.remedy) from error
    try:
        answer = json.loads(done.output)
    except ValueError as error:
        raise VerifyError(
            f"the node cannot read its logs ({done.quoted})",
            remedy="check that Python works there: `stackcook ssh NODE -- python3 --version`",
        ) from error
    groups = tuple(Group(*group) for group in answer["groups"])
    return NodeLogs(groups, answer["more"], answer["lines"])


def findings(logs: Mapping[str, NodeLogs]) -> tuple[tuple[Finding, ...], int]:
    """What the nodes' logs have, the earliest first, and the number of known messages left out."""
    found: dict[tuple[str, str, str], Finding] = {}
    known = 0
    for node, group in sorted(
        ((node, group) for node, read in logs.items() for group in read.groups),
        key=lambda pair: pair[1].first,
    ):
        if reason(f"{group.source}: {group.text}"):
            known += group.times
            continue
        key = group.kind, group.source, same(group.text)
        counts = found.setdefault(key, Finding(node, group)).counts
        counts[node] = counts.get(node, 0) + group.times
    return tuple(found.values()), known


def checks(logs: Mapping[str, NodeLogs], secrets: Collection[str] = ()) -> tuple[Checks, str]:
    """A failed check for each finding, a good one for each node without any, and a note.

    An event of several nodes is reported for the node that had it first.
    """
    found, known = findings(logs)
    affected = {node for finding in found for node in finding.counts}
    redact = Redactor(secrets)
    result = [_check(finding, redact) for finding in found]
    for node, read in logs.items():
        if read.more:
            remedy = f"read `stackcook ssh {node} -- sudo journalctl -p err`, and files in /var/log"
            result.append(Check("logs", node, False, f"{read.more} more kinds of errors", remedy))
        elif node not in affected:
            result.append(Check("logs", node, True))
    lines = sum(read.lines for read in logs.values())
    note = f"{counted(lines, 'line')} of logs read; {counted(known, 'known message')} left out"
    return tuple(result), note


def _check(finding: Finding, redact: Redactor) -> Check:
    first, node = finding.first, finding.node
    loops = first.kind == "restart" and max(finding.counts.values()) >= LOOP
    kind = "crash loop" if loops else first.kind
    counts = ", ".join(f"{counted(n, 'time')} on {where}" for where, n in finding.counts.items())
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(first.first))
    cause = f"{one_line(redact(first.text))} ({counts}, first at {at} UTC)"
    what = f"less {first.source}"
    if not first.source.startswith("/"):
        what = f"journalctl -u {first.source} --since @{first.first:.0f}"
    remedy = f"read it with `stackcook ssh {node} -- sudo {what}`"
    return Check(f"{kind} in the log of {first.source}", node, False, cause, remedy)
