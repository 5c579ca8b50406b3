"""The preflight checks of a node: one shell command, and how to read its output."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stackcook.command import last_line

SCRIPT = Path(__file__).with_name("preflight.sh")
TIMEOUT = 60.0
FREE = 1 << 20
"""KiB that must be free on / and on /var."""

SKEW = 600.0
"""Seconds that a node's clock may differ from the Chef server's; that refuses from 900 on."""

RELEASES = {"debian": (12,), "ubuntu": (24, 4)}
"""The oldest releases whose Ruby runs the client's gems (3.1), by the ID in os-release."""

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Preflight:
    """What was found: a summary, and the problems to fix first.

    ``passing``: all problems are transient. ``client``: a Chef client is installed.
    """

    text: str
    problems: tuple[str, ...]
    passing: bool = False
    client: bool = False


def command(url: str, *, proxied: bool = False) -> str:
    """The shell command to run as root; ``url`` is the Chef server's, as nodes reach it."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 443)
    to = ("", "") if proxied else (parts.hostname or "", str(port))
    return f"set -- {shlex.join(to)}\n{SCRIPT.read_text()}"


def judge(output: str, *, url: str, now: float, installs: bool = True) -> Preflight:
    """What ``output`` of the command means; ``now`` is the Chef server's time, as of its end.

    ``installs``: stackcook installs a missing client.
    """
    said = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    if said.get("uid") != "0":
        return Preflight("", (f"root has no working shell ({last_line(output)})",))
    server = said.get("server", "reached")
    unreachable = (
        [f"it cannot reach the Chef server at {url} ({server})"] if server != "reached" else []
    )
    others = (
        *_disk(said),
        *_clock(float(said.get("time") or now), now),
        *(_release(said) if installs and "client" not in said else ()),
        *_name(said.get("host", "")),
    )
    memory = int(said.get("memory", 0)) // 1024
    free = min((int(said[key]) for key in said if key.startswith("free ")), default=0)
    text = f"{said.get('release', '?')}, {memory} MiB of memory and {free >> 10} MiB of disk free"
    problems = (*others, *unreachable)
    return Preflight(text, problems, passing=not others, client="client" in said)


def _disk(said: Mapping[str, str]) -> list[str]:
    return [
        f"{place} has {int(said[f'free {place}']) >> 10} MiB free, but needs {FREE >> 10} MiB"
        for place in ("/", "/var")
        if int(said.get(f"free {place}", FREE)) < FREE
    ]


def _clock(there: float, now: float) -> list[str]:
    off = there - now
    if abs(off) <= SKEW:
        return []
    shown = f"{abs(off) / 60:.0f} min {'ahead of' if off > 0 else 'behind'}"
    return [f"its clock is {shown} the Chef server's, but may differ by only {SKEW / 60:.0f} min"]


def _release(said: Mapping[str, str]) -> list[str]:
    kind, version = said.get("id", ""), said.get("version", "")
    oldest = RELEASES.get(kind)
    # Debian's testing has no version
    if oldest and (not version or tuple(map(int, re.findall(r"\d+", version))) >= oldest):
        return []
    here, known = said.get("release") or "this system", "Debian 12, Ubuntu 24.04 or later"
    return [f"the Chef client cannot be installed on {here}, only on {known}"]


def _name(host: str) -> list[str]:
    return [] if host not in ("", "(none)", "localhost") else [f'its hostname must not be "{host}"']
