"""Reads the record of runs: the last step of each node, and the last deploy."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stackcook.run.events import LOOKS
from stackcook.errors import ExitCode, UsageError

NAME = "state.db"
CONVERGES = ("bootstrap", "converge")
"""The steps after which a node is what the manifest says."""

MOST_AGE = 24 * 3600.0
"""Seconds after which a deploy is no longer resumed."""

_FINISHED = (ExitCode.DONE, ExitCode.VERIFY)
"""Exit codes after which every node had converged: the next deploy starts over."""


@dataclass(frozen=True)
class LastDeploy:
    """The last deploy, as recorded; ``exit_code`` is None if it was killed.

    ``done`` are the nodes that it has converged, in however many runs, ``failed`` those whose last
    step in any of these failed, or was interrupted; ``at`` is when its last run began, in seconds
    since the epoch.
    """

    id: str
    digest: str
    at: float
    exit_code: int | None
    done: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()

    def resumable(self, digest: str, now: float) -> LastDeploy | None:
        """Itself, if it is neither finished nor old, and its inputs are still the same."""
        fresh = 0 <= now - self.at < MOST_AGE
        unfinished = self.exit_code not in _FINISHED
        return self if fresh and unfinished and self.digest == digest else None


def new_id(kind: str, now: float) -> str:
    """``d-20261122T235501Z-1f0c``: when it began, and four random digits."""
    return f"{kind}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{os.urandom(2).hex()}"


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

    A successful reach or preflight counts only on a node where nothing else was done: a run that
    resumes a deploy only inspects the nodes that are done.
    """
    found = _last(directory)
    only = [n for n, s in found.items() if s.step in LOOKS and s.result == "done"]
    if only:
        before = _last(directory, f"AND step NOT IN {LOOKS}")
        found.update((name, before[name]) for name in only if name in before)
    return found


def _last(directory: Path, which: str = "") -> dict[str, StepState]:
    found = rows(
        directory,
        "SELECT node, stage, step, result, started, ended, text, updated, total FROM steps"
        f" WHERE id IN (SELECT max(id) FROM steps WHERE node <> '' {which} GROUP BY node)",
    )
    return {row[0]: StepState(*row) for row in found}


def last_deploy(directory: Path) -> LastDeploy | None:
    """The deploy that was begun last, with what all of its runs have done."""
    run = rows(
        directory,
        "SELECT deploy, digest, started, exit_code FROM runs"
        " WHERE command = 'deploy' ORDER BY id DESC LIMIT 1",
    )
    if not run:
        return None
    ((deploy, digest, started, exit_code),) = run
    done = rows(
        directory,
        "SELECT node, step, result FROM steps WHERE id IN"
        " (SELECT max(steps.id) FROM steps JOIN runs ON runs.id = run"
        "  WHERE deploy = ? AND node <> '' AND step NOT IN ('reach', 'preflight', 'verify')"
        "  GROUP BY node)",
        deploy,
    )
    converged = frozenset(n for n, step, end in done if end == "done" and step in CONVERGES)
    begun = rows(
        directory,
        "SELECT node, step, result, exit_code FROM steps JOIN runs ON runs.id = run"
        " WHERE steps.id IN"
        " (SELECT max(steps.id) FROM steps JOIN runs ON runs.id = run"
        "  WHERE deploy = ? AND node <> '' AND result <> 'skipped'"
        "  AND NOT (step = 'reach' AND result = 'done') GROUP BY node)",
        deploy,
    )
    failed = frozenset(n for n, *end in begun if _failed(n in converged, *end))
    return LastDeploy(deploy, digest, started, exit_code, converged, failed)


def finished_deploy(directory: Path, nodes: Collection[str]) -> LastDeploy | None:
    """The last deploy, if it has succeeded and included all of ``nodes``, else None.

    None as well if a converge has failed since. If one has succeeded, its inputs may have been
    others: the digest is empty then.
    """
    last = last_deploy(directory)
    if last is None or last.exit_code != ExitCode.DONE:
        return None
    took_part = rows(
        directory,
        "SELECT DISTINCT node FROM steps JOIN runs ON runs.id = run"
        " WHERE deploy = ? AND result = 'done'",
        last.id,
    )
    since = rows(
        directory,
        "SELECT exit_code FROM runs WHERE command = 'converge'"
        " AND id > (SELECT max(id) FROM runs WHERE command = 'deploy')",
    )
    failed = any(code != ExitCode.DONE for code, in since)
    if failed or not {node for node, in took_part}.issuperset(nodes):
        return None
    return replace(last, digest="") if since else last


def deploy_began(directory: Path) -> float:
    """When the first run of the last deploy began, in seconds since the epoch; 0 if unknown."""
    last = "SELECT deploy FROM runs WHERE command = 'deploy' ORDER BY id DESC LIMIT 1"
    ((began,),) = rows(directory, f"SELECT min(started) FROM runs WHERE deploy = ({last})") or [
        (0,)
    ]
    return float(began or 0)


def _failed(converged: bool, step: str, result: str, exit_code: int | None) -> bool:
    """Whether a node failed, judged by its last step and by how the run of that step ended.

    One that was between two steps when its run was interrupted has failed; one that an earlier run
    ``converged``, and this one only inspected, has not.
    """
    if result != "done":
        return True
    interrupted = exit_code in (None, ExitCode.INTERRUPTED)
    return interrupted and not converged and step not in (*CONVERGES, "verify")


@contextmanager
def reading(directory: Path) -> Iterator[sqlite3.Connection | None]:
    """The database, only to read; None where there is none, or where it has no tables yet.

    A full disk, or a kill at the wrong moment, leaves an empty one.
    """
    path = directory / NAME
    if not path.exists():
        yield None
        return
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with explained(path), closing(sqlite3.connect(uri, uri=True)) as db:
        begun = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone()
        yield db if begun else None


def rows(directory: Path, query: str, *values: object) -> list[Any]:
    """The rows of a query, each a tuple; none if there is no database."""
    with reading(directory) as db:
        return db.execute(query, values).fetchall() if db else []


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into a UsageError."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise UsageError(
            f"cannot use the history of runs ({error})",
            where=str(path),
            remedy="free some disk space, or move the file away: then the history is lost and "
            "deploy starts over",
        ) from error
