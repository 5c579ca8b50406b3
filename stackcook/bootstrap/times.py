"""What each resource of a converge took: printed by a report handler of ours, read here."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from stackcook.bootstrap.base import ResourceTime

CONFIG = "/etc/chef/stackcook.rb"
"""The settings that a converge reads: the node's own, the handler, and what makes the run lean."""

_PARTS = ("times.rb", "lean.rb")
MOST = 100
LEAST = 0.05
"""Seconds below which nobody asks what a resource took; most of them are."""

_LINE = re.compile(r"stackcook-time (\d+\.\d+) ([01]) (\S+) (\S.*)")


def run_config() -> str:
    """The content of CONFIG, in Ruby; the same for all nodes."""
    return "\n".join(Path(__file__).with_name(part).read_text() for part in _PARTS)


class Times:
    """Takes a run's lines; the slowest resources of it are in ``slowest``."""

    def __init__(self) -> None:
        self._seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._updated: set[tuple[str, str]] = set()

    def feed(self, line: str) -> bool:
        """Whether the line is the handler's: then it is for us only."""
        match = _LINE.fullmatch(line.strip())
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
