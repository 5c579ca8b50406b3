"""The preflight checks of a node: one shell command, how to read its output, what is wrong."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stackcook.bootstrap.findings import NodeFinding

SCRIPT = Path(__file__).with_name("preflight.sh")
TIMEOUT = 60.0
FREE = 1024
"""MiB that must be free on / and on /var."""

SKEW = 600.0
"""Seconds that a node's clock may differ from the Chef server's; that refuses from 900 on."""

RELEASES = {"debian": (12,), "ubuntu": (24, 4)}
"""The oldest releases whose Ruby runs the client's gems (3.1), by the ID in os-release."""

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class HostFacts:
    """What the script has printed: names and values, see preflight.sh.

    ``url`` is the Chef server's, ``now`` its time; ``installs``: stackcook installs the Chef client
    if it is missing.
    """

    said: Mapping[str, str]
    url: str
    now: float
    installs: bool = True

    @property
    def client(self) -> bool:
        """Whether a Chef client of any version is installed."""
        return "client" in self.said

    @property
    def hostname(self) -> str:
        """The host's own name; empty if it has none."""
        host = self.said.get("host", "")
        return "" if host == "(none)" else host

    @property
    def release(self) -> str:
        """The operating system, as people call it."""
        return self.said.get("release", "?")

    def free(self, place: str) -> int | None:
        """MiB that are free on a directory's file system; None if unknown."""
        found = self.said.get(f"free {place}")
        return None if found is None else int(found) >> 10

    def __str__(self) -> str:
        memory = int(self.said.get("memory", 0)) >> 10
        free = min(self.free("/") or 0, self.free("/var") or 0)
        return f"{self.release}, {memory} MiB of memory and {free} MiB of disk free"


def command(url: str, *, proxied: bool = False) -> str:
    """The shell command to run as root; ``url`` is the Chef server's, as nodes reach it."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 443)
    to = ("", "") if proxied else (parts.hostname or "", str(port))
    return f"set -- {shlex.join(to)}\n{SCRIPT.read_text()}"


def read(output: str, url: str, now: float, *, installs: bool = True) -> HostFacts:
    """The facts in the ``output`` of the command. Raises ValueError if it is cut off or garbled."""
    said = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    for name, value in said.items():
        if name == "memory" or name.startswith("free "):
            int(value)
        elif name == "time" and value:
            float(value)
    return HostFacts(said, url, now, installs)


def judge(node: str, facts: HostFacts) -> tuple[NodeFinding, ...]:
    """What is wrong with a node's host. Pure."""
    checks = (_disk, _clock, _release, _name, _server)
    return tuple(NodeFinding(id, node, what) for check in checks for id, what in check(facts))


_Found = Iterator[tuple[str, str]]
"""IDs, each with what was found."""


def _disk(facts: HostFacts) -> _Found:
    for place in ("/", "/var"):
        free = facts.free(place)
        if free is not None and free < FREE:
            yield "disk-space", f"{place} has {free} MiB free, but needs {FREE} MiB"


def _clock(facts: HostFacts) -> _Found:
    off = float(facts.said.get("time") or facts.now) - facts.now
    if abs(off) > SKEW:
        shown = f"{abs(off) / 60:.0f} min {'ahead of' if off > 0 else 'behind'}"
        limit = f"may differ by only {SKEW / 60:.0f} min"
        yield "clock", f"its clock is {shown} the Chef server's, but {limit}"


def _release(facts: HostFacts) -> _Found:
    if facts.client or not facts.installs:
        return
    oldest, version = RELEASES.get(facts.said.get("id", "")), facts.said.get("version", "")
    # Debian's testing has no version
    if not oldest or (version and tuple(map(int, re.findall(r"\d+", version))) < oldest):
        here, known = facts.release or "this system", "Debian 12, Ubuntu 24.04 or later"
        yield "release", f"the Chef client cannot be installed on {here}, only on {known}"


def _name(facts: HostFacts) -> _Found:
    if "host" in facts.said and facts.hostname in ("", "localhost"):
        yield "hostname", f'its hostname must not be "{facts.said["host"]}"'


def _server(facts: HostFacts) -> _Found:
    why = facts.said.get("server", "reached")
    if why != "reached":
        yield "chef-server", f"it cannot reach the Chef server at {facts.url} ({why})"
