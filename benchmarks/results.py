"""What the runs of the upload's benchmark say: seconds, ratios, growth, and is it enough?

A program takes what its fastest run took: whatever else a machine does makes a run slower, never
faster. The median beside it says how quiet the machine was.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks import sample
from benchmarks.stage import Run

STATES = ("cold", "warm", "one")
STACKCOOK = "stackcook upload"
KNIFE = "knife upload /"
COOKBOOKS = "knife cookbook upload -a"
SPICEWEASEL = "spiceweasel | sh"
PINNED = ", pinned"
"""Behind a program's name: with the knife of `stackcook setup`, not gem install's."""


WANTED = (
    ("8 × as fast as knife upload /, cold", KNIFE, "cold", 8.0),
    ("20 × as fast as knife upload /, warm", KNIFE, "warm", 20.0),
    ("15 × as fast as spiceweasel, cold", SPICEWEASEL, "cold", 15.0),
)
MOST_MIB = 120.0
LINEAR = 1.1
"""The exponent up to which growth counts as linear."""

Runs = dict[str, list[Run]]
"""Those in each of STATES."""


@dataclass
class Measured:
    """All runs, and what follows from them; ``growth`` is stackcook's by number of cookbooks."""

    cookbooks: int
    tools: dict[str, Runs] = field(default_factory=dict)
    growth: dict[int, Runs] = field(default_factory=dict)
    biggest_by_knife: str = "not tried"

    def ratio(self, tool: str, state: str) -> float:
        """How many times as long as stackcook it takes."""
        return best(self.tools[tool][state]) / best(self.tools[STACKCOOK][state])

    @property
    def memory(self) -> float:
        """MiB at most, in any run of stackcook."""
        all_runs = (self.tools[STACKCOOK], *self.growth.values())
        return max(run.mib for states in all_runs for runs in states.values() for run in runs)

    def exponent(self, state: str) -> float:
        """1 is linear, 2 is quadratic; from the smallest to the biggest repository."""
        small, big = min(self.growth), max(self.growth)
        grown = best(self.growth[big][state]) / best(self.growth[small][state])
        return math.log(grown) / math.log(big / small) if big > small else 0.0

    def verdicts(self) -> Iterator[tuple[str, str, bool]]:
        """What is wanted, what it is, whether that is enough."""
        for what, tool, state, least in WANTED:
            if tool not in self.tools:
                yield what, "left out", False
                continue
            yield what, f"{self.ratio(tool, state):.1f} ×", self.ratio(tool, state) >= least
        yield f"less than {MOST_MIB:.0f} MiB", f"{self.memory:.0f} MiB", self.memory < MOST_MIB
        for state in STATES:
            grows = self.exponent(state)
            yield f"growth linear, {state}", f"n^{grows:.2f}", grows <= LINEAR

    def data(self, load: tuple[float, float, float]) -> dict[str, Any]:
        """All of it for JSON; ``load`` is the machine's before."""
        return {
            "machine": {"cpus": os.cpu_count(), "load_before": load},
            "cookbooks": self.cookbooks,
            "tools": {
                tool: {
                    state: {
                        "seconds": best(runs),
                        "median": median(runs),
                        "ratio": round(self.ratio(tool, state), 2),
                        "runs": [asdict(run) for run in runs],
                    }
                    for state, runs in states.items()
                }
                for tool, states in self.tools.items()
            },
            "growth": {
                size: {state: [asdict(run) for run in runs] for state, runs in states.items()}
                for size, states in self.growth.items()
            },
            "exponents": {state: round(self.exponent(state), 3) for state in STATES},
            "biggest_by_knife": self.biggest_by_knife,
            "mib": self.memory,
            "wanted": [
                {"what": what, "is": found, "met": met} for what, found, met in self.verdicts()
            ],
        }

    def text(self) -> str:
        """The tables for people."""
        return "\n".join((*self._tools(), "", *self._growth(), "", *self._wanted()))

    def _tools(self) -> Iterator[str]:
        yield f"{_sizes(self.cookbooks)}: seconds, best and median (times as long as stackcook)"
        yield f"{'':32}{'cold':>21}{'warm':>21}{'one file changed':>21}"
        for tool, states in self.tools.items():
            cells = (f"{_seconds(states[s])} ({self.ratio(tool, s):.1f})" for s in STATES)
            yield f"{tool:32}" + "".join(f"{cell:>21}" for cell in cells)
        peaks = {s: max(run.mib for run in self.tools[STACKCOOK][s]) for s in STATES}
        yield f"{'stackcook, MiB':32}" + "".join(f"{peaks[s]:>21.0f}" for s in STATES)

    def _growth(self) -> Iterator[str]:
        yield "stackcook upload as the repository grows: seconds, MiB"
        for size, states in sorted(self.growth.items()):
            yield f"{_sizes(size):50}" + "".join(
                f"{state:>6} {best(states[state]):6.2f} {max(r.mib for r in states[state]):4.0f}"
                for state in STATES
            )
        yield f"the biggest by {self.biggest_by_knife}"

    def _wanted(self) -> Iterator[str]:
        yield f"{'wanted':40}{'is':>10}"
        for what, found, met in self.verdicts():
            yield f"{what:40}{found:>10}  {'yes' if met else 'NO'}"


def best(runs: list[Run]) -> float:
    """Seconds of the fastest run."""
    return min(run.seconds for run in runs)


def median(runs: list[Run]) -> float:
    """Seconds of the run in the middle."""
    return round(statistics.median(run.seconds for run in runs), 3)


def _seconds(runs: list[Run]) -> str:
    return f"{best(runs):.2f} {median(runs):.2f}"


def _sizes(cookbooks: int) -> str:
    files, roles = cookbooks * sample.FILES, sample.roles(cookbooks)
    return f"{cookbooks} cookbooks, {files:,} files, {roles} roles"
