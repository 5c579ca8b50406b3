"""What the record of runs says: where each node stands, and which deploy was the last."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackcook.run.events import LOOKS
from stackcook.run.identity import LastDeploy
from stackcook.errors import ExitCode, UsageError

NAME = "state.db"
CONVERGES = ("bootstrap", "converge")
"""The steps after which a node is what the manifest says."""


@dataclass(frozen=True)
class StepState:
    """One step of one node, as :class:`~stackcook.run.state.State` has written it."""

    node: str
    stage: str
    step: str
    result: str
    started: float
    ended: float | None = None
    text: str = ""
    updated: int | None = None
    total: int | None = None
    attempt: int = 1


def latest(directory: Path) -> dict[str, StepState]:
    """The last step of each node, by name; read without a lock, while a run may write.

    That it was reached, and is fit, is news only where nothing was done before: a run that goes on
    with a deploy leaves it at that.
    """
    with reading(directory) as db:
        if db is None:
            return {}
        found = _last(db)
        only = [n for n, s in found.items() if s.step in LOOKS and s.result == "done"]
        if only:
            before = _last(db, f"AND step NOT IN {LOOKS}")
            found.update((name, before[name]) for name in only if name in before)
        return found


def _last(db: sqlite3.Connection, which: str = "") -> dict[str, StepState]:
    rows = db.execute(
        "SELECT node, stage, step, result, started, ended, text, updated, total FROM steps"
        f" WHERE id IN (SELECT max(id) FROM steps WHERE node <> '' {which} GROUP BY node)"
    )
    return {row[0]: StepState(*row) for row in rows}


def last_deploy(directory: Path) -> LastDeploy | None:
    """The deploy that was begun last, with what all of its runs have done."""
    with reading(directory) as db:
        if db is None:
            return None
        run = db.execute(
            "SELECT deploy, digest, started, exit_code FROM runs"
            " WHERE command = 'deploy' ORDER BY id DESC LIMIT 1"
        ).fetchone()
        if run is None:
            return None
        deploy, digest, started, exit_code = run
        done = db.execute(
            "SELECT node, step, result FROM steps WHERE id IN"
            " (SELECT max(steps.id) FROM steps JOIN runs ON runs.id = run"
            "  WHERE deploy = ? AND node <> '' AND step NOT IN ('reach', 'preflight', 'verify')"
            "  GROUP BY node)",
            (deploy,),
        ).fetchall()
        converged = frozenset(n for n, step, end in done if end == "done" and step in CONVERGES)
        begun = db.execute(
            "SELECT node, step, result, exit_code FROM steps JOIN runs ON runs.id = run"
            " WHERE steps.id IN"
            " (SELECT max(steps.id) FROM steps JOIN runs ON runs.id = run"
            "  WHERE deploy = ? AND node <> '' AND result <> 'skipped'"
            "  AND NOT (step = 'reach' AND result = 'done') GROUP BY node)",
            (deploy,),
        )
        return LastDeploy(
            id=deploy,
            digest=digest,
            at=started,
            exit_code=exit_code,
            done=converged,
            failed=frozenset(n for n, *end in begun if _failed(n in converged, *end)),
        )


def _failed(converged: bool, step: str, result: str, exit_code: int | None) -> bool:
    """Whether a node failed, by the last step that it began, and how the run of that one ended.

    One that was between two steps when its run was interrupted has failed; one that an earlier run
    ``converged``, and this one only inspected, has not.
    """
    if result != "done":
        return True
    interrupted = exit_code in (None, ExitCode.INTERRUPTED)
    return interrupted and not converged and step not in (*CONVERGES, "verify")


@contextmanager
def reading(directory: Path) -> Iterator[sqlite3.Connection | None]:
    """The database, only to read; None where there is none."""
    path = directory / NAME
    if not path.exists():
        yield None
        return
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with explained(path), closing(sqlite3.connect(uri, uri=True)) as db:
        yield db


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into a UsageError."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise UsageError(
            f"the record of runs can't be used ({error})",
            where=str(path),
            remedy="is the disk full? If not, move it away: only `status` and `report` need it",
        ) from error
