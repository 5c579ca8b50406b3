"""What each resource of a converge took: printed by a report handler of ours, read here."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from pathlib import Path

from stackcook.bootstrap.base import ResourceTime

CONFIG = "/etc/chef/stackcook.rb"
"""The settings that a converge reads: the node's own, the handler, and what makes the run lean."""

_PARTS = ("times.rb", "lean.rb", "spawn.rb")

HEAP = tuple(
    f"RUBY_GC_{setting}"
    for setting in (
        "HEAP_INIT_SLOTS=600000",  # until Ruby 3.2; then one for each of five sizes
        "HEAP_0_INIT_SLOTS=500000",
        "HEAP_1_INIT_SLOTS=150000",
        "HEAP_2_INIT_SLOTS=100000",
        "HEAP_3_INIT_SLOTS=10000",
        "HEAP_4_INIT_SLOTS=5000",
        "MALLOC_LIMIT=96000000",
        "MALLOC_LIMIT_MAX=96000000",
        "OLDMALLOC_LIMIT=96000000",
    )
)
"""The environment of a run: room for all that an idle one makes, so that Ruby collects no garbage.

It takes 127 MB then, not 76; one that makes more collects as ever.
"""

MOST = 100
LEAST = 0.05
"""Seconds below which nobody asks what a resource took; most of them are."""

_LINE = re.compile(r"stackcook-time (\d+\.\d+) ([01]) (\S+) (\S.*)")


@cache
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
