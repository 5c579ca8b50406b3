"""Reads the history of runs: who ran what, the steps, and the slow resources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from stackcook.run.record import StepState, rows


@dataclass(frozen=True)
class Run:
    """One run of a command, by stackcook ``version``.

    ``ended`` and ``exit_code`` are None while it goes on, or died.
    """

    id: int
    command: str
    who: str
    deploy: str
    manifest: str
    version: str
    started: float
    ended: float | None = None
    exit_code: int | None = None


@dataclass(frozen=True)
class Spent:
    """What a Chef resource, or (``name`` empty) a recipe, took in one run.

    ``seconds`` are those of all ``nodes`` together; a resource took ``most`` on ``slowest``.
    """

    name: str
    recipe: str
    nodes: int
    seconds: float
    updated: int
    most: float = 0.0
    slowest: str = ""

    @property
    def mean(self) -> float:
        """Seconds for each node."""
        return self.seconds / max(1, self.nodes)


_RUN = "SELECT id, command, who, deploy, manifest, version, started, ended, exit_code FROM runs"
_STEP = "SELECT node, stage, step, result, started, ended, text, updated, total, attempt FROM steps"

_SPENT = """
SELECT name, recipe, count(*), sum(seconds), sum(resources.updated), max(seconds), node
FROM steps JOIN resources ON resources.step = steps.id
WHERE run = ? GROUP BY name, recipe, steps.step
"""
# By step, as a node may have the same resource in two of them; a million rows take a second.
# SQLite takes `node` from the row that has the maximum.


def runs(directory: Path) -> tuple[Run, ...]:
    """Every run that is kept, the oldest first."""
    return tuple(Run(*row) for row in rows(directory, f"{_RUN} ORDER BY id"))


def steps(directory: Path, run: int) -> tuple[StepState, ...]:
    """The steps of one run in the order in which they began; ``node`` is empty for all nodes'."""
    found = rows(directory, f"{_STEP} WHERE run = ? ORDER BY id", run)
    return tuple(StepState(*row) for row in found)


def failed_step(directory: Path, node: str) -> StepState | None:
    """The node's step that failed last, in any run."""
    last = "WHERE node = ? AND result = 'failed' ORDER BY id DESC LIMIT 1"
    return next((StepState(*row) for row in rows(directory, f"{_STEP} {last}", node)), None)


def stages(directory: Path) -> dict[str, str]:
    """The stage that each node was last recorded in."""
    last = "SELECT max(id) FROM steps WHERE node <> '' AND stage <> '' GROUP BY node"
    return dict(rows(directory, f"SELECT node, stage FROM steps WHERE id IN ({last})"))


def spent(directory: Path, run: int) -> tuple[Spent, ...]:
    """The recorded resources of one run, which are the slow ones; slowest first."""
    return _merged(Spent(*row) for row in rows(directory, _SPENT, run))


def by_recipe(resources: Iterable[Spent]) -> tuple[Spent, ...]:
    """What each recipe took, the slowest first: the sum of its resources."""
    return _merged(replace(s, name="", most=0.0, slowest="") for s in resources if s.recipe)


def spent_before(directory: Path, run: int, within: int = 5) -> Iterator[tuple[Spent, ...]]:
    """The same of each earlier run that has any; the latest first."""
    before = [each.id for each in runs(directory) if each.id < run]
    yield from (found for each in before[: -within - 1 : -1] if (found := spent(directory, each)))


def _merged(every: Iterable[Spent]) -> tuple[Spent, ...]:
    """One of each name and recipe: the sum, and the worst."""
    merged: dict[tuple[str, str], Spent] = {}
    for one in every:
        other = merged.get((one.name, one.recipe))
        if other:
            worst = max(one, other, key=lambda spent: spent.most)
            one = Spent(
                one.name,
                one.recipe,
                nodes=max(one.nodes, other.nodes),
                seconds=one.seconds + other.seconds,
                updated=one.updated + other.updated,
                most=worst.most,
                slowest=worst.slowest,
            )
        merged[one.name, one.recipe] = one
    return tuple(sorted(merged.values(), key=lambda spent: -spent.seconds))
