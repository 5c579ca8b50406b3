"""chef-client's output, line by line: progress, result, cause of failure, time of each resource."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from dataclasses import dataclass, field

from stackcook.bootstrap.base import ResourceTime

_RESOURCE = re.compile(r"^\s*\* (?P<name>\S+\[.*\]) action (?P<action>\w+)(?P<rest>.*)$")
_CHANGE = re.compile(r"^\s*- ")
_DONE = re.compile(
    r"(?:Infra Phase|Chef (?:Infra )?Client) (?:complete|finished), "
    r"(?P<updated>\d+)/(?P<total>\d+) resources updated"
)
_PHASE = re.compile(
    r"^(?P<text>Resolving cookbooks|Synchronizing cookbooks|Compiling cookbooks"
    r"|Converging \d+ resources|Running handlers)"
)
_BEGUN = re.compile(r"^Chef (?:Infra )?Client, version")
_RULE = re.compile(r"^\s*={80}$")
_WAITS = re.compile(r"WARN: .* is running, will wait for it to finish")
_LOCKED = re.compile(r"RunLockTimeout: .*Waited (?P<seconds>\d+) seconds")
_UNDERLINE = re.compile(r"^\s*-{3,}$")
_DECLARED = re.compile(r"# Declared in (?P<file>\S+?):(?P<line>\d+)")
_TRACE = re.compile(r"^\s*(?P<file>/\S+/cookbooks/\S+?):(?P<line>\d+):in ")
_CACHE = re.compile(r"^.*/cookbooks/")
# chef-client's FATAL, after a time, or knife's ERROR; not those that only announce more lines.
_FATAL = re.compile(
    r"^(?:(?:\[\S+\] )?FATAL|ERROR): (?P<text>(?!Stacktrace dumped|-----|PLEASE|The following).+)$"
)
# What install.sh prints last if it fails.
_INSTALLING = re.compile(r"stackcook: (?P<what>.+ failed with status \d+)")
_STDERR = re.compile(r"^\s*STDERR: ?(?P<text>.*)$")
_END = re.compile(r"^\s*---- End output")

# What the report handler of times.rb prints.
_TIME = re.compile(r"stackcook-time (\d+\.\d+) ([01]) (\S+) (\S.*)")

MOST = 100
"""Resources whose times are kept."""

LEAST = 0.05
"""Seconds below which the time of a resource is not kept; that is most of them."""

_TAIL = 30
"""Lines kept of an output without an error report of Chef's, such as an installation."""

_SHOWN = 3
"""Lines that a message quotes of the command that failed to install the client."""


@dataclass
class _Failure:
    """The first error report of a run, while it is being read."""

    title: str = ""
    heading: str = ""
    message: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)
    place: str = ""
    part: str = "rule"  # rule, title, heading, message, stderr, rest: what comes next


class ChefOutput:
    """Reads the lines of one chef-client run (formatter ``doc``, no colours).

    ``resources`` and ``updated`` count what was looked at and changed so far; ``finished`` is
    (updated, total) once Chef said so itself.
    """

    def __init__(self) -> None:
        self.resources = 0
        self.finished: tuple[int, int] | None = None
        self.last = ""
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self._begun = False
        self._changed: dict[int, str] = {}
        self._open = ""
        self._failure: _Failure | None = None
        self._fatal = ""

    @property
    def updated(self) -> int:
        """How many resources were changed so far."""
        return len(self._changed)

    @property
    def changed(self) -> tuple[str, ...]:
        """The changed resources, in order."""
        return tuple(self._changed.values())

    def feed(self, line: str) -> str | None:
        """Process the next line; returns what to show now, if that has changed."""
        if line.strip():
            self.last = line.strip()
            self._tail.append(self.last)
        self._read_error(line)
        if match := _RESOURCE.match(line):
            self.resources += 1
            self._open = match["name"] if not match["rest"].strip() else ""
            return f"{match['name']} {match['action']}"
        if self._open and _CHANGE.match(line):
            self._changed[self.resources] = self._open
        if match := _DONE.search(line):
            self.finished = int(match["updated"]), int(match["total"])
            return None
        if _WAITS.search(line):
            return "waiting for another run of chef-client to end"
        if match := _PHASE.match(line):
            return match["text"]
        self._begun = self._begun or bool(_BEGUN.match(line))
        return None if self._begun else line.strip() or None  # what installs the client

    @property
    def evidence(self) -> tuple[str, ...]:
        """The lines that say why it failed, for :func:`stackcook.retry.output_is_transient`."""
        failure = self._failure
        if failure is None or not failure.title:
            return tuple(self._tail)
        said = (" ".join(failure.message), *failure.message, *failure.stderr)
        return (failure.title, failure.heading, *said, self._fatal)

    def error(self) -> str:
        """Why the run failed, on one line: resource, place, message; else the last line."""
        failure = self._failure
        if failure is None or not failure.title:
            if match := _INSTALLING.fullmatch(self.last):
                said = [line for line in self._tail if not line.startswith("----->")]
                return f"{match['what']}: {' / '.join(said[-1 - _SHOWN : -1]) or 'no output'}"
            if match := _LOCKED.search(self._fatal):
                return f"another chef-client has not ended within {match['seconds']} s"
            return self._fatal or self.last or "no output"
        message = next((text for text in reversed(failure.stderr) if text), "")
        message = message or " ".join(failure.message)
        parts = [failure.title, f"({failure.place})" if failure.place else "", message]
        head = " ".join(part for part in parts[:2] if part)
        return f"{head}: {message}" if message else head

    def _read_error(self, line: str) -> None:
        if match := _FATAL.match(line):
            self._fatal = self._fatal or match["text"]
        if self._failure is None:
            if _RULE.match(line):
                self._failure = _Failure(part="title")
            return
        self._read_failure(self._failure, line)

    @staticmethod
    def _read_failure(failure: _Failure, line: str) -> None:
        text = line.strip()
        if not failure.place and (match := _DECLARED.search(line) or _TRACE.match(line)):
            failure.place = f"{_CACHE.sub('', match['file'])}:{match['line']}"
        if failure.part == "title":
            if text and not _RULE.match(line):
                failure.title, failure.part = text.rstrip(":"), "heading"
        elif failure.part == "heading":
            if _UNDERLINE.match(line):
                failure.part = "message"
            elif text and not _RULE.match(line):
                failure.heading = text
        elif failure.part == "message":
            if match := _STDERR.match(line):
                failure.stderr.append(match["text"].strip())
                failure.part = "stderr"
            elif text.startswith(("----", "STDOUT:")):
                pass
            elif text.endswith(":") and failure.message:
                failure.part = "rest"  # the next heading
            elif text and len(failure.message) < 2:
                failure.message.append(text)
        elif failure.part == "stderr":
            if _END.match(line):
                failure.part = "rest"
            else:
                failure.stderr.append(text)


class Times:
    """Reads the lines of the report handler (times.rb): what each resource of a run took."""

    def __init__(self) -> None:
        self._seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._updated: set[tuple[str, str]] = set()

    def feed(self, line: str) -> bool:
        """Process the next line; returns whether it was one of the handler's."""
        match = _TIME.fullmatch(line.strip())
        if match:
            seconds, updated, recipe, name = match.groups()
            key = (name, "" if recipe == "-" else recipe)
            self._seconds[key] += float(seconds)
            if updated == "1":
                self._updated.add(key)
        return bool(match)

    @property
    def slowest(self) -> tuple[ResourceTime, ...]:
        """At most MOST, the slowest first; a resource with several actions counts once."""
        slow = (item for item in self._seconds.items() if item[1] >= LEAST)
        found = sorted(slow, key=lambda item: -item[1])[:MOST]
        return tuple(ResourceTime(*key, seconds, key in self._updated) for key, seconds in found)


class Unwrapped:
    """Removes the address that knife puts before the lines of a node.

    Without an ``address``, whatever is in brackets is removed.
    """

    def __init__(self, address: str = "") -> None:
        self._prefix = re.compile(rf"^\s*\[{re.escape(address) or '[^][ ]+'}\] ?")
        self._indent = ""

    def feed(self, line: str) -> str:
        """The line without the address; empty if the line has only indentation so far."""
        line = self._indent + self._prefix.sub("", line, count=1)
        self._indent = line if line.isspace() else ""
        return line.rstrip()
