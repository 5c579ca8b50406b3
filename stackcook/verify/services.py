"""Each node's own services, asked over SSH: active as systemd sees it, and listening.

Inactive is a failure even where nothing failed: Debian's wrapper scripts exit 0 when they have
not been told what to start.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from stackcook.errors import VerifyError
from stackcook.remote.base import Remote
from stackcook.verify.check import Check, Checks, journal
from stackcook.verify.diagnosis import moment
from stackcook.verify.placing import Placed, Service

PROPERTIES = (
    "LoadState ActiveState SubState Result ExecMainStatus NRestarts"
    " ActiveEnterTimestamp InactiveEnterTimestamp"
).split()
MARK = "--- stackcook ---"
CALM = 20.0
"""Seconds for which a unit that systemd had to restart must be up before it counts as well."""


@dataclass(frozen=True)
class Seen:
    """What a node says: its clock, the TCP ports that are listened on, each unit's properties."""

    now: str
    ports: frozenset[int]
    units: Mapping[str, Mapping[str, str]]


def look(remote: Remote, node: Placed) -> Seen:
    """Ask once for all of the node's services; raises NodeError or VerifyError."""
    done = remote.run(question([service.unit for service in node.services]), timeout=20)
    try:
        return answer(done.output, [service.unit for service in node.services])
    except ValueError as error:
        raise VerifyError(
            f"the node's answer on its services can't be read ({error})",
            remedy=f"look at what `stackcook ssh {node.name} -- systemctl` says",
        ) from error


def question(units: list[str]) -> str:
    """The shell command; it needs no privilege and no tools but systemd's and grep.

    Listening sockets have state 0A in /proc/net/tcp; a minimal node has no ``ss``.
    """
    names = " ".join(map(shlex.quote, units))  # systemctl adds .service to those without a kind
    show = f"systemctl show -p {','.join(('Id', *PROPERTIES))} -- {names}"
    listening = "grep -h ' 0A ' /proc/net/tcp /proc/net/tcp6 2>/dev/null"
    return f"export LC_ALL=C; date '+%F %T'; {listening}; echo '{MARK}'; {show}"


def answer(output: str, units: list[str]) -> Seen:
    """Read the answer to :func:`question`; raises ValueError."""
    head, mark, tail = output.partition(f"{MARK}\n")
    now, *sockets = head.splitlines() or [""]
    # Units come in the order in which they were asked for; an alias' Id is another name.
    blocks = [dict(_pairs(block)) for block in tail.strip().split("\n\n")]
    if not mark or len(blocks) != len(units):
        raise ValueError(f"{len(units)} units asked, {len(blocks)} answered")
    datetime.fromisoformat(now)
    ports = frozenset(int(line.split()[1].rsplit(":", 1)[1], 16) for line in sockets)
    return Seen(now, ports, dict(zip(units, blocks)))


def checks(seen: Seen, node: Placed, seconds: float = 0.0) -> Checks:
    """One check for each service of the node."""
    return tuple(_check(seen, node, service, seconds) for service in node.services)


def settled(seen: Seen, node: Placed) -> bool:
    """Whether looking again is of no use: nothing is on its way up, or just came up."""
    for service in node.services:
        unit = seen.units[service.unit]
        young = unit.get("ActiveState") == "active" and _cause(seen, service)
        if young or unit.get("ActiveState") in ("activating", "reloading"):
            return False
    return True


def _check(seen: Seen, node: Placed, service: Service, seconds: float) -> Check:
    cause = _cause(seen, service)
    remedy = journal(node.name, service.unit) if cause else ""
    return Check(service.unit, node.name, not cause, cause, remedy, seconds, service.unit)


def _cause(seen: Seen, service: Service) -> str:
    """Why the service is not well, ``""`` if it is."""
    unit = seen.units[service.unit]
    state, sub = unit.get("ActiveState", "unknown"), unit.get("SubState", "")
    if unit.get("LoadState") in ("not-found", "masked"):
        return f"its unit is {unit['LoadState']}"
    if state == "active":
        return _restless(seen, unit) or _deaf(seen, service)
    ended = moment(unit.get("InactiveEnterTimestamp", ""))
    since = f" since {ended}" if ended and state in ("inactive", "failed") else ""
    if sub == "auto-restart":
        return f"it ends with status {unit.get('ExecMainStatus')} and is restarted again and again"
    if state == "failed":
        status = unit.get("ExecMainStatus")
        return f"it failed{since} ({unit.get('Result')}, exit status {status})"
    if state == "inactive":
        return f"it is inactive{since}: stopped, or it ended by itself without an error"
    return f"it is {state} ({sub})"


def _restless(seen: Seen, unit: Mapping[str, str]) -> str:
    restarts, began = int(unit.get("NRestarts") or 0), moment(unit.get("ActiveEnterTimestamp", ""))
    if not restarts or not began:
        return ""
    up = (datetime.fromisoformat(seen.now) - datetime.fromisoformat(began)).total_seconds()
    if up >= CALM:
        return ""
    return f"it crashes: restarted {restarts} times, the last time {max(up, 0):.0f} s ago"


def _deaf(seen: Seen, service: Service) -> str:
    missing = [str(port) for port in service.ports if port not in seen.ports]
    if not missing:
        return ""
    return f"it is active, but nothing listens on port {', '.join(missing)}"


def _pairs(block: str) -> list[tuple[str, str]]:
    return [(key, value) for key, _, value in (line.partition("=") for line in block.splitlines())]
