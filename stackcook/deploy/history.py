"""What is kept of each run: who ran what, its steps, and what took long in it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from stackcook.deploy.record import StepState, reading


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

    ``seconds`` are those of all ``nodes`` together; ``most`` is what ``slowest`` needed.
    """

    name: str
    recipe: str
    nodes: int
    seconds: float
    most: float
    slowest: str
    updated: int

    @property
    def mean(self) -> float:
        """Seconds for each node."""
        return self.seconds / max(1, self.nodes)


_RUN = "SELECT id, command, who, deploy, manifest, version, started, ended, exit_code FROM runs"
_STEP = "SELECT node, stage, step, result, started, ended, text, updated, total, attempt FROM steps"

_SPENT = """
SELECT {name}, recipe, count(*), sum(seconds), max(seconds), node, sum(updated) FROM (
    SELECT {name} AS name, recipe, node, sum(seconds) AS seconds,
        sum(resources.updated) AS updated
    FROM steps JOIN resources ON resources.step = steps.id
    WHERE run = ? GROUP BY {name}, recipe, node
) GROUP BY {name}, recipe ORDER BY sum(seconds) DESC LIMIT ?
"""
# SQLite takes `node` from the row that has the maximum.


def runs(directory: Path) -> tuple[Run, ...]:
    """Every run that is kept, the oldest first."""
    with reading(directory) as db:
        return tuple(Run(*row) for row in db.execute(f"{_RUN} ORDER BY id")) if db else ()


def steps(directory: Path, run: int) -> tuple[StepState, ...]:
    """The steps of one run in the order in which they began; ``node`` is empty for all nodes'."""
    with reading(directory) as db:
        if db is None:
            return ()
        rows = db.execute(f"{_STEP} WHERE run = ? ORDER BY id", (run,))
        return tuple(StepState(*row) for row in rows)


def failed_step(directory: Path, node: str) -> StepState | None:
    """The node's step that failed last, of whatever run."""
    with reading(directory) as db:
        if db is None:
            return None
        order = "WHERE node = ? AND result = 'failed' ORDER BY id DESC LIMIT 1"
        row = db.execute(f"{_STEP} {order}", (node,)).fetchone()
        return StepState(*row) if row else None


def stages(directory: Path) -> dict[str, str]:
    """The stage that each node was in when that was last written down."""
    with reading(directory) as db:
        if db is None:
            return {}
        last = "SELECT max(id) FROM steps WHERE node <> '' AND stage <> '' GROUP BY node"
        return dict(db.execute(f"SELECT node, stage FROM steps WHERE id IN ({last})"))


def spent(directory: Path, run: int, most: int, *, recipes: bool = False) -> tuple[Spent, ...]:
    """The resources of one run, or its recipes, that took longest over all nodes: ``most`` of them.

    A recipe's time is that of its resources which were written down: the slow ones.
    """
    with reading(directory) as db:
        if db is None:
            return ()
        query = _SPENT.format(name="''" if recipes else "name")
        return tuple(Spent(*row) for row in db.execute(query, (run, most)))


def spent_before(
    directory: Path, run: int, wanted: Collection[tuple[str, str]], *, within: int = 10
) -> dict[tuple[str, str], Spent]:
    """For each (name, recipe), what it took in the last run before that had it.

    Looks at no more than ``within`` runs; an empty name stands for a recipe.
    """
    found: dict[tuple[str, str], Spent] = {}
    before = [each.id for each in runs(directory) if each.id < run][-within:]
    for earlier in reversed(before):
        if missing := set(wanted) - set(found):
            recipes = not all(name for name, _ in missing)
            there = spent(directory, earlier, -1, recipes=recipes)
            found.update({(s.name, s.recipe): s for s in there if (s.name, s.recipe) in missing})
    return found
