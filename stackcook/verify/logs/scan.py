"""Finds in a node's journal and log files what must not be there. Runs on the node.

``findings.py`` sends this file to the node's python3 as its program: it imports only the standard
library, and its output is bounded. All functions above :func:`main` but two are pure.
"""

from __future__ import annotations

import glob
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

FILES = "/var/log/*/*.log"
"""Log files of services. Those in /var/log itself repeat the journal."""

LATEST = 32 << 20
"""Bytes at the end of a file that are read."""

MOST = 200
"""How many different events are printed."""

LENGTH = 300
"""Characters of an event's text that are printed."""


class Line(NamedTuple):
    """A line of a log: ``source`` is a unit or a file, ``time`` in seconds since the epoch.

    ``systemd``: systemd says it about the unit.
    """

    source: str
    time: float
    text: str
    systemd: bool = False


class Event(NamedTuple):
    """Something that must not happen: ``kind`` in a few words, ``text`` as the log has it."""

    kind: str
    source: str
    text: str
    time: float


class Group(NamedTuple):
    """Events that differ only in numbers and IDs: the first of them, and how many there are."""

    kind: str
    source: str
    text: str
    first: float
    times: int


_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,]\d+)?(Z|[+-]\d\d:\d\d)?")
_CTIME = re.compile(r"\b[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d+) (\d\d:\d\d:\d\d)(?:\.\d+)? (\d{4})\b")

_OSLO = re.compile(r"\S+ [\d:.,]+ (?P<pid>\d+) (?P<level>[A-Z]+) \S+(?: \[[^]]*\])? ?(?P<text>.*)")
_OVS = re.compile(r"\S+Z\|\d+\|(?P<text>[^|]+\|(?P<level>[A-Z]+)\|.*)")
_BRACKETS = re.compile(r"(?:\[[^]]*\] )*\[[^]]*\] ?(?P<text>.*)")  # Apache

_CRITICAL = re.compile(r"\b(?:CRITICAL|FATAL)\b|[\[:](?:crit(?:ical)?|alert|emerg)\]")
_KINDS = (
    ("uWSGI worker died", re.compile(r"DAMN ! worker|HARAKIRI|uWSGI process \d+ got Seg")),
    ("out of memory", re.compile(r"Out of memory: Kill|Memory cgroup out of mem|OOM killer")),
    ("crash", re.compile(r"\bsegfault at\b|got signal (?:6|7|8|11)\b|panic: ")),
)
_TRACEBACK = "Traceback (most recent call last)"
_IGNORED = "Exception ignored in"
"""What Python writes before a traceback that ends nothing: the error itself may be empty."""
_CHAINED = ("During handling of the above", "The above exception was")


def moment(text: str) -> float | None:
    """The time at which a line of a file was logged; without a zone, the node's is meant."""
    iso = _ISO.match(text)
    if iso:
        zone = iso[3] if iso[3] != "Z" else "+00:00"
        return datetime.fromisoformat(f"{iso[1]} {iso[2]}{zone or ''}").timestamp()
    ctime = _CTIME.search(text, 0, 200)
    if ctime:
        return datetime.strptime(" ".join(ctime.groups()), "%b %d %H:%M:%S %Y").timestamp()
    return None


def file_lines(source: str, texts: Iterable[str], since: float) -> Iterator[Line]:
    """The lines of a file from ``since`` on; one without a time has that of the line before."""
    now = 0.0
    for text in texts:
        now = moment(text) or now
        if now >= since:
            yield Line(source, now, text.rstrip("\n"))


def journal_lines(entries: Iterable[str]) -> Iterator[Line]:
    """The lines of the journal, from what ``journalctl -o json`` prints."""
    for entry in entries:
        fields: dict[str, Any] = json.loads(entry)
        message = fields.get("MESSAGE")
        if isinstance(message, list):  # not UTF-8
            message = bytes(message).decode(errors="replace")
        program = fields.get("SYSLOG_IDENTIFIER", "")
        if not message or program == "sudo":  # sudo logs commands, whatever words they have
            continue
        systemd = program == "systemd" and "UNIT" in fields
        unit = fields.get("UNIT") if systemd else fields.get("_SYSTEMD_UNIT")
        source = str(unit or program).removesuffix(".service")
        for text in message.splitlines():
            yield Line(source, int(fields["__REALTIME_TIMESTAMP"]) / 1e6, text, systemd)


class _Trace:
    """A traceback that is being read; ``error`` is its last line, once there is one."""

    def __init__(self, line: Line, body: str) -> None:
        self.line = line
        self.ignored = f"{body.rstrip(': ')}: " if body.startswith(_IGNORED) else ""
        self.error = ""

    def takes(self, body: str) -> bool:
        """Whether a line belongs to it, without its prefix."""
        if body.startswith(_CHAINED):
            self.error = ""  # of a chain, the last error counts
        elif not self.error and body.startswith(_TRACEBACK):
            return True
        elif body.strip() and not body.startswith(" "):
            if self.error:
                return False
            self.error = body
        return True

    def event(self) -> Event:
        return Event(
            "traceback", self.line.source, self.ignored + (self.error or _TRACEBACK), self.line.time
        )


def events(lines: Iterable[Line]) -> Iterator[Event]:
    """What must not be in the lines."""
    traces: dict[tuple[str, str], _Trace] = {}
    failed: dict[str, Event] = {}
    for line in lines:
        if line.systemd:
            yield from _of_unit(line, failed)
            continue
        form = next((m for m in (f.match(line.text) for f in (_OSLO, _OVS, _BRACKETS)) if m), None)
        said = form.groupdict() if form else {}
        body = said.get("text", line.text)
        process = (line.source, said.get("pid", ""))  # processes may write to one file
        trace = traces.get(process)
        if trace and trace.takes(body):
            continue
        if trace:
            yield traces.pop(process).event()
        if body.startswith((_TRACEBACK, _IGNORED)):
            traces[process] = _Trace(line, body)
            continue
        kind = _kind(line.text, said.get("level", ""))
        if kind:
            yield Event(kind, line.source, body, line.time)
    for trace in traces.values():
        yield trace.event()
    yield from failed.values()


def _kind(text: str, level: str) -> str:
    if level in ("CRITICAL", "EMER") or not level and _CRITICAL.search(text):
        return "critical"
    return next((kind for kind, pattern in _KINDS if pattern.search(text)), "")


def _of_unit(line: Line, failed: dict[str, Event]) -> Iterator[Event]:
    """What systemd says: a failure of a unit and the restart that follows it are one event."""
    unit, text = line.source, re.sub(r"^\S+: ", "", line.text)
    if text.startswith("Failed with result"):
        if unit in failed:
            yield failed[unit]
        failed[unit] = Event("failed unit", unit, text.rstrip("."), line.time)
    elif text.startswith("Scheduled restart job"):
        # "restart counter is at 3": NRestarts, which says neither when nor since when
        before = failed.pop(unit, Event("", unit, "it ended", line.time))
        yield before._replace(kind="restart")
    elif text.startswith("Start request repeated too quickly"):
        yield Event("crash loop", unit, text.rstrip("."), line.time)
    elif "killed by the OOM killer" in text:
        yield Event("out of memory", unit, text.rstrip("."), line.time)


def same(text: str) -> str:
    """The text without what differs from one time to the next: IDs and numbers."""
    text = re.sub(r"\b(?=[0-9A-Fa-f-]*\d)(?:0x)?[0-9A-Fa-f-]{8,}\b", "N", text)
    return re.sub(r"\d+", "N", text)


def grouped(found: Iterable[Event]) -> list[Group]:
    """Groups of the events, in the order of their first ones."""
    groups: dict[tuple[str, str, str], Group] = {}
    for event in found:
        key = event.kind, event.source, same(event.text)
        before = groups.get(key) or Group(*event, 0)
        first = min(before, Group(*event, 0), key=lambda group: group.first)
        groups[key] = first._replace(times=before.times + 1)
    return sorted(groups.values(), key=lambda group: group.first)


def _journal(since: float) -> Iterator[Line]:
    fields = "MESSAGE,SYSLOG_IDENTIFIER,UNIT,_SYSTEMD_UNIT"
    argv = ["journalctl", "-q", "--all", "--no-pager", "-o", "json", f"--output-fields={fields}"]
    with subprocess.Popen([*argv, f"--since=@{since:.0f}"], stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield from journal_lines(line.decode(errors="replace") for line in process.stdout)
    if process.returncode:
        raise SystemExit(f"journalctl exited with status {process.returncode}")


def _files(since: float) -> Iterator[Line]:
    for path in sorted((*glob.glob(FILES), *glob.glob(f"{FILES}.1"))):
        state = os.stat(path)
        if state.st_mtime < since or not state.st_size:
            continue
        with open(path, "rb") as file:
            file.seek(max(0, state.st_size - LATEST))
            texts = (line.decode(errors="replace") for line in file)
            yield from file_lines(path.removesuffix(".1"), texts, since)


def main(since: float) -> None:
    """Print the groups as JSON, the number of those left out, and that of the lines read."""
    count = 0

    def counted(lines: Iterable[Line]) -> Iterator[Line]:
        nonlocal count
        for line in lines:
            count += 1
            yield line

    groups = grouped(
        e for lines in (_journal(since), _files(since)) for e in events(counted(lines))
    )
    shown = [group._replace(text=group.text[:LENGTH]) for group in groups[:MOST]]
    print(json.dumps({"groups": shown, "more": len(groups) - len(shown), "lines": count}))


if __name__ == "__main__":
    main(float(sys.argv[1]))
