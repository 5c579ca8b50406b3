"""What each way of bringing a hundred nodes under Chef took: the table, and the limits."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.scale.measure import Measured

MIB = 1 << 20
NATIVE = "native"
KNIFE = "knife"
IDLE = ", nothing to do"
"""Behind a way's name: the same deploy once more."""
LOOP = "knife in a loop"
PINNED = f"{LOOP}, pinned"
"""With the knife of `stackcook setup`, not gem install's: the loop at its best."""

SHARE = 0.05
"""Of the wall time, that stackcook's own CPU may take."""

MEMORY = 300.0
"""MiB that stackcook may hold at once."""

IDLE_OTHER = 5.0
"""Seconds in which no chef-client runs, where there is nothing to do."""

Span = tuple[float, float]


@dataclass(frozen=True)
class Way:
    """One way measured on ``nodes``; ``converging`` are the seconds in which a node converged.

    ``node_cpu`` are seconds of CPU of one node, ``server_cpu`` of the Chef server, whose memory is
    in bytes at most; ``complaints`` are lines of its log.
    """

    name: str
    nodes: int
    run: Measured
    node_cpu: float
    server_memory: int
    complaints: tuple[str, ...] = ()
    converging: float = 0.0
    server_cpu: float = 0.0

    @property
    def each(self) -> float:
        """Seconds on the clock for one node."""
        return self.run.seconds / self.nodes

    @property
    def share(self) -> float:
        """The program's own CPU in the wall time; that of what it starts is not counted."""
        return self.run.cpu / self.run.seconds

    @property
    def other(self) -> float:
        """Seconds in which no node converged."""
        return self.run.seconds - self.converging

    def line(self, base: Way | None = None) -> str:
        """Its row of the table; ``base`` is what it is compared with."""
        ratio = f"{base.each / self.each:5.1f}" if base else ""
        share, other = (f"{self.share:.1%}", f"{self.other:.1f}") if self.converging else ("", "")
        return (
            f"{self.name:<24} {self.nodes:5} {self.run.seconds:8.1f} {self.each:7.2f} {ratio:>5}"
            f" {other:>9} {share:>6} {self.run.memory // MIB:4} {self.node_cpu:8.2f}"
            f" {self.server_memory // MIB:7} {len(self.complaints):6}"
        )


HEAD = (
    "way                      nodes  seconds  a node times  not con-  share  MiB node CPU"
    "  server errors\n"
    "                                                as fast verging    own  own        s"
    "    MiB in log"
)

Ways = Mapping[str, Way]


def covered(spans: Iterable[Span]) -> float:
    """Seconds in which at least one of the spans (begin, end) lasted."""
    total, end = 0.0, float("-inf")
    for begun, ended in sorted(spans):
        total += max(0.0, ended - max(begun, end))
        end = max(end, ended)
    return total


def base_of(ways: Ways) -> Way | None:
    """The loop that the others are compared with: what users have, if it was measured."""
    return ways.get(LOOP) or ways.get(PINNED)


def table(ways: Ways, nodes: int, cores: int) -> Iterator[str]:
    """What was measured, the loops also for all ``nodes``; the nodes share ``cores`` with us."""
    yield HEAD
    for way in ways.values():
        yield way.line(base_of(ways))
    for way in (ways[name] for name in (LOOP, PINNED) if name in ways):
        yield f"{way.name}: extrapolated to {nodes} nodes, {way.each * nodes:.0f} s"
    for way in ways.values():
        if way.converging:
            nodes_took = way.node_cpu * way.nodes
            least = (nodes_took + way.run.cpu + way.server_cpu) / cores
            yield (
                f"{way.name}: CPU of the nodes {nodes_took:.0f} s, of the Chef server"
                f" {way.server_cpu:.1f} s, of stackcook {way.run.cpu:.1f} s:"
                f" on {cores} cores {least:.0f} s at least"
            )
    for complaint in sorted({line for way in ways.values() for line in way.complaints})[:10]:
        yield f"Chef server: {complaint}"


def verdicts(ways: Ways) -> Iterator[tuple[bool, str]]:
    """Whether each limit is kept, and its text; only of ways that were measured."""
    native, idle = ways.get(NATIVE), ways.get(NATIVE + IDLE)
    if native:
        yield native.share < SHARE, f"stackcook's own share {native.share:.1%}, wanted under 5 %"
        memory = max(way.run.memory for way in ways.values() if way.converging) / MIB
        yield memory < MEMORY, f"stackcook's memory {memory:.0f} MiB, wanted under {MEMORY:.0f}"
    if idle:
        other = idle.other
        yield other < IDLE_OTHER, f"nothing to do: {other:.1f} s not converging, wanted under 5"


def ratios(ways: Ways) -> Iterator[str]:
    """How much faster the native bootstrap is than the loops; not judged: Chef has its share."""
    native = ways.get(NATIVE)
    for way in (ways[name] for name in (LOOP, PINNED) if native and name in ways):
        yield f"native is {way.each / native.each:.1f} times as fast as {way.name}"


def report(ways: Ways, nodes: int) -> tuple[tuple[str, ...], bool]:
    """The lines to print, and whether both deploys were measured and all limits are kept."""
    cores = os.cpu_count() or 1
    found = list(verdicts(ways))
    judged = (f"{'ok    ' if ok else 'MISSED'} {text}" for ok, text in found)
    whole = NATIVE in ways and NATIVE + IDLE in ways
    lines = (*table(ways, nodes, cores), *ratios(ways), *judged)
    return lines, whole and all(ok for ok, _ in found)
