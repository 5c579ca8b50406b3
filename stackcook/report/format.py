"""Durations, times and endings of runs as text, and the natural order of names."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence

from stackcook.errors import ExitCode

_ENDS = {
    ExitCode.DONE: "done",
    ExitCode.BUG: "internal error",
    ExitCode.NODES: "nodes failed",
    ExitCode.VERIFY: "verification failed",
    ExitCode.CHEF_SERVER: "Chef server failed",
    ExitCode.MACHINES: "machines failed",
    ExitCode.INPUT: "invalid manifest or Chef repository",
    ExitCode.WITHIN_BUDGET: "done, except for failed nodes within the failure budget",
    ExitCode.INTERRUPTED: "interrupted",
}


def duration(seconds: float) -> str:
    """Seconds for people: ``0.4 s``, ``12 s``, ``4 min 05 s``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def difference(seconds: float | None) -> str:
    """Seconds more or less than before: ``+1.2 s``, ``-0.4 s``; empty without one."""
    if seconds is None:
        return ""
    return "±0.0 s" if abs(seconds) < 0.05 else f"{seconds:+.1f} s"


def when(at: float) -> str:
    """A moment in this machine's time zone, with its name: ``2026-11-22 23:55:01 CET``."""
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(at))


def roughly(seconds: float) -> str:
    """A time that is not known exactly: ``about 40 s``, ``about 3 min``."""
    if seconds < 90:
        return f"about {max(10, math.ceil(seconds / 10) * 10)} s"
    return f"about {math.ceil(seconds / 60)} min"


def ago(seconds: float) -> str:
    """How long ago something was, in its largest unit: ``12 s ago``, ``4 min ago``, ``3 d ago``."""
    return f"{span(seconds)} ago"


def span(seconds: float) -> str:
    """A time in its largest unit: ``12 s``, ``4 min``, ``3 d``."""
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0, int(seconds))} s"


def iso(at: float) -> str:
    """A moment as programs read it: ``2026-11-22T23:55:01Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def ending(exit_code: int | None, ended: float | None, under_way: bool) -> str:
    """How a run ended, in a few words."""
    if exit_code is None or ended is None:
        return "running" if under_way else "killed"
    try:
        return _ENDS.get(ExitCode(exit_code), "failed")
    except ValueError:
        return "failed"


def columns(rows: Sequence[Sequence[str]]) -> str:
    """One line per row, its cells aligned; not wrapped, and without blanks at its end."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """The key that sorts compute2 before compute10."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    return tuple((0, int(number), "") if number else (1, 0, text) for number, text in parts)


def printable(line: str) -> str:
    """A line that is safe to print: unprintable characters become ``?``, blanks are kept."""
    return "".join(char if char.isprintable() else "?" for char in line.expandtabs())
