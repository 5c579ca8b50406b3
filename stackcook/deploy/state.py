"""What is kept of every run: an SQLite file that others read while a run writes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from stackcook import __version__
from stackcook.deploy.events import (
    Event,
    NodeSkipped,
    RunDone,
    RunStarted,
    StepDone,
    StepFailed,
    StepRetried,
    StepStarted,
)
from stackcook.deploy.lock import user
from stackcook.errors import UsageError

NAME = "state.db"
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY, command TEXT NOT NULL, who TEXT NOT NULL,
    deploy TEXT NOT NULL, digest TEXT NOT NULL, manifest TEXT NOT NULL, version TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, exit_code INTEGER
);
CREATE TABLE IF NOT EXISTS steps (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs (id),
    node TEXT NOT NULL, stage TEXT NOT NULL, step TEXT NOT NULL, attempt INTEGER NOT NULL,
    result TEXT NOT NULL, started REAL NOT NULL, ended REAL, text TEXT NOT NULL DEFAULT '',
    updated INTEGER, total INTEGER
);
CREATE INDEX IF NOT EXISTS steps_of_node ON steps (node, id);
CREATE INDEX IF NOT EXISTS steps_of_run ON steps (run);
CREATE TABLE IF NOT EXISTS resources (
    step INTEGER NOT NULL REFERENCES steps (id), name TEXT NOT NULL, recipe TEXT NOT NULL,
    seconds REAL NOT NULL, updated INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS resources_of_step ON resources (step);
"""
_VERSION = 2
"""Of the schema above, as SQLite's user_version."""

_WORTH_KEEPING = 0.05
"""Seconds that a resource must have taken: most are files that are as they should be."""

_FROM_VERSION_1 = """
ALTER TABLE runs ADD COLUMN deploy TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN digest TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN manifest TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN version TEXT NOT NULL DEFAULT '';
ALTER TABLE steps ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
"""


class State:
    """The runs and steps under ``.stackcook``; as a listener it writes down what happens.

    A step's ``result`` is running, done, failed, retried, skipped, or interrupted: begun, by a run
    that died. Times are in seconds since the epoch.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The engine emits one event at a time, though from several threads.
        self._path = directory / NAME
        with explained(self._path):
            self._db = sqlite3.connect(
                self._path, check_same_thread=False, isolation_level=None, timeout=30
            )
            _prepare(self._db)
        self._run = 0
        self._open: dict[tuple[str, str], list[int]] = {}

    def __call__(self, event: Event) -> None:
        """Write down an event; progress within a step is not kept."""
        with explained(self._path):
            self._write(event)

    def _write(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._begin(event)
        elif isinstance(event, StepStarted):
            row = (event.node, event.stage, event.step, event.attempt, "running", event.at)
            self._open.setdefault((event.node, event.step), []).append(self._insert(*row))
        elif isinstance(event, StepDone):
            step = self._end(event, "done", event.text, event.updated, event.total)
            self._db.executemany(
                "INSERT INTO resources VALUES (?, ?, ?, ?, ?)",
                [
                    (step, r.name, r.recipe, r.seconds, r.updated)
                    for r in event.resources
                    if r.seconds >= _WORTH_KEEPING
                ],
            )
        elif isinstance(event, StepRetried):
            self._end(event, "retried", event.cause)
        elif isinstance(event, StepFailed):
            self._end(event, "failed", event.error)
        elif isinstance(event, NodeSkipped):
            at = event.at
            self._insert(event.node, event.stage, "skipped", 1, "skipped", at, at, event.why)
        elif isinstance(event, RunDone):
            self._db.execute(
                "UPDATE runs SET ended = ?, exit_code = ? WHERE id = ?",
                (event.at, event.exit_code, self._run),
            )
            self._close_open_steps()

    def __enter__(self) -> State:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def _begin(self, event: RunStarted) -> None:
        self._close_open_steps()  # of a run that was killed
        cursor = self._db.execute(
            "INSERT INTO runs (command, who, deploy, digest, manifest, version, started)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *(event.command, user(), event.deploy, event.digest, event.manifest),
                *(__version__, event.at),
            ),
        )
        self._run = cursor.lastrowid or 0

    def _close_open_steps(self) -> None:
        self._db.execute("UPDATE steps SET result = 'interrupted' WHERE result = 'running'")

    def _insert(
        self,
        node: str,
        stage: str,
        step: str,
        attempt: int,
        result: str,
        started: float,
        ended: float | None = None,
        text: str = "",
    ) -> int:
        cursor = self._db.execute(
            "INSERT INTO steps (run, node, stage, step, attempt, result, started, ended, text)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self._run, node, stage, step, attempt, result, started, ended, text),
        )
        return cursor.lastrowid or 0

    def _end(
        self,
        event: StepDone | StepRetried | StepFailed,
        result: str,
        text: str,
        updated: int | None = None,
        total: int | None = None,
    ) -> int:
        step = self._open[event.node, event.step].pop()
        self._db.execute(
            "UPDATE steps SET result = ?, ended = ?, text = ?, updated = ?, total = ?"
            " WHERE id = ?",
            (result, event.at, text, updated, total, step),
        )
        return step


def _prepare(db: sqlite3.Connection) -> None:
    """Make the tables, or bring those of an older stackcook up to date."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if not version and db.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone():
        db.executescript(f"BEGIN; {_FROM_VERSION_1} COMMIT;")
    db.executescript(_SCHEMA)
    db.execute(f"PRAGMA user_version = {_VERSION}")


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
