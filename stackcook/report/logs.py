"""Parts of a node's log: the output of one step, and the lines of it that explain a failure."""

from __future__ import annotations

import calendar
import os
import re
import time
from pathlib import Path

from stackcook.run.record import StepState

LATEST = 1 << 20
"""Bytes at the end of a log that are read."""

_HEAD = re.compile(r"^=== (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) ")
_STAMP = "%Y-%m-%dT%H:%M:%SZ"
_ERROR_REPORT = re.compile(r"^\d\d:\d\d:\d\dZ\s+={80}$")
_CLIENT = re.compile(r"^\d\d:\d\d:\d\dZ (?:Starting )?Chef (?:Infra )?Client, version (\d[\w.]*)")


def end_of(path: Path, most: int = LATEST) -> str:
    """The last ``most`` bytes of a log, from the beginning of a line; empty if there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most))
            content = file.read(most)
    except OSError:
        return ""
    if size > most:
        content = content.partition(b"\n")[2]
    return content.decode(errors="replace")


def step_output(path: Path, step: StepState) -> tuple[str, ...]:
    """The lines that ``step`` wrote to the log ``path`` of its node; empty if there are none."""
    found: list[str] = []
    here = False
    for line in end_of(path).splitlines():
        if head := _HEAD.match(line):
            here = line.endswith(f" {step.node}: {step.step}") and _within(head[1], step)
        elif here:
            found.append(line)
    return tuple(found)


def last_output(path: Path) -> tuple[str, ...]:
    """The lines of the last step, with its heading."""
    lines = end_of(path).splitlines()
    heads = [number for number, line in enumerate(lines) if _HEAD.match(line)]
    return tuple(lines[heads[-1] :] if heads else lines)


def error_lines(lines: tuple[str, ...], most: int = 40) -> tuple[str, ...]:
    """The beginning of Chef's first error report, or the last lines if there is none."""
    for number, line in enumerate(lines):
        if _ERROR_REPORT.match(line):
            return lines[number : number + most]
    return lines[-most:]


def chef_version(path: Path) -> str:
    """The version of the Chef client in the log, of the last run; empty if unknown."""
    found = [match[1] for line in end_of(path).splitlines() if (match := _CLIENT.match(line))]
    return found[-1] if found else ""


def _within(stamp: str, step: StepState) -> bool:
    try:
        at = calendar.timegm(time.strptime(stamp, _STAMP))
    except (ValueError, OverflowError):
        return False
    return int(step.started) <= at <= (step.ended or at)
