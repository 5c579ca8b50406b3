"""Finds services whose logins were just rejected: they are active, and try again forever."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

REJECTED = (
    " (ERROR|CRITICAL) .*(ACCESS_REFUSED|Access denied for user|rejected authorization necessary"
    "|requires authentication|Unauthorized)"
)
"""An extended regular expression. The servers have other words for it, and name their clients."""

RECENT = timedelta(seconds=90)
"""How old such a message may be: nova-compute asks Placement once a minute."""

_TAIL = 1 << 17
"""Bytes at the end of a log that are searched."""

_LINE = re.compile(r"(\S+) (\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)")


def question(logs: Mapping[str, Sequence[str]]) -> str:
    """The shell command, to be run as root, that prints ``UNIT LINE`` of the last rejected login.

    ``logs`` are log files by unit.
    """
    one = f'tail -c {_TAIL} -- "$2" 2>/dev/null | grep -aE {shlex.quote(REJECTED)} | tail -n 1'
    pairs = ((unit, log) for unit, files in logs.items() for log in files)
    asked = (f"one {shlex.quote(unit)} {shlex.quote(log)}" for unit, log in pairs)
    return f"one() {{ {one} | sed \"s/^/$1 /\"; }}; {'; '.join(asked)}"


def rejected(answer: str, now: str, began: Mapping[str, str]) -> frozenset[str]:
    """The units with a rejected login since their start that is recent, as of ``now``."""
    oldest = str(datetime.fromisoformat(now) - RECENT)
    found = filter(None, map(_LINE.match, answer.splitlines()))
    return frozenset(
        unit
        for unit, day, clock in (match.groups() for match in found)
        if f"{day} {clock}" >= max(oldest, began[unit])
    )
