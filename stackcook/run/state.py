"""Writes the record of runs: an SQLite file that can be read while a run writes it."""

from __future__ import annotations

import itertools
import sqlite3
import threading
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from stackcook import __version__
from stackcook.run.events import (
    Event,
    NodeSkipped,
    RunDone,
    RunStarted,
    StepDone,
    StepFailed,
    StepRetried,
    StepStarted,
)
from stackcook.run.lock import user
from stackcook.run.plan import Key
from stackcook.run.record import NAME, explained
from stackcook.errors import UsageError
from stackcook.files import private_directory

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
BEGIN;
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
COMMIT;
"""
_VERSION = 2
"""Of the schema above, as SQLite's user_version."""

_WORTH_KEEPING = 0.05
"""Minimum seconds of a resource that is recorded: most take less, as nothing changes."""

_MOMENT = 0.05
"""Seconds for which events are collected: one transaction writes all of them."""

_INTERRUPTED = "UPDATE steps SET result = 'interrupted' WHERE result = 'running'"

_FROM_VERSION_1 = """
ALTER TABLE runs ADD COLUMN deploy TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN digest TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN manifest TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN version TEXT NOT NULL DEFAULT '';
ALTER TABLE steps ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
"""


@dataclass
class _Step:
    """A row of ``steps``, as it is to be."""

    id: int
    run: int
    node: str
    stage: str
    step: str
    attempt: int
    result: str
    started: float
    ended: float | None = None
    text: str = ""
    updated: int | None = None
    total: int | None = None


_fields = attrgetter(*_Step.__dataclass_fields__)

_KEEP = """
INSERT INTO steps
    (id, run, node, stage, step, attempt, result, started, ended, text, updated, total)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    result = excluded.result, ended = excluded.ended, text = excluded.text,
    updated = excluded.updated, total = excluded.total
"""


class State:
    """The runs and steps under ``.stackcook``; as a listener it writes down what happens.

    A step's ``result`` is running, done, failed, retried, skipped, or interrupted: begun, by a run
    that died. Times are in seconds since the epoch. What comes within a moment is written at once,
    by a thread of its own: a hundred nodes' steps wait for no disk.
    """

    def __init__(self, directory: Path) -> None:
        private_directory(directory)
        self._path = directory / NAME
        with explained(self._path):
            self._db = sqlite3.connect(
                self._path, check_same_thread=False, isolation_level="IMMEDIATE", timeout=30
            )
            _prepare(self._db)
            (last,) = self._db.execute("SELECT max(id) FROM steps").fetchone()
        self._run = 0
        self._ids = itertools.count((last or 0) + 1)  # nobody else writes: see lock.py
        self._open: dict[Key, list[_Step]] = {}
        self._news: dict[int, _Step] = {}
        self._resources: list[tuple[int, str, str, float, bool]] = []
        self._lock = threading.Lock()
        self._error: UsageError | None = None
        self._fresh, self._over = threading.Event(), threading.Event()
        self._writer = threading.Thread(target=self._write_on, daemon=True)

    def __call__(self, event: Event) -> None:
        """Record an event, except progress within a step. Raises UsageError if that fails."""
        if self._error:
            raise self._error
        if isinstance(event, RunStarted):
            self._begin(event)
        elif isinstance(event, RunDone):
            self._end_run(event)
        else:
            with self._lock:
                self._take(event)
                if self._news:
                    self._fresh.set()

    def flush(self) -> None:
        """Write what has not been written yet; raises UsageError."""
        with self._lock, explained(self._path), self._db:
            self._write()

    def _write(self) -> None:
        if self._news:
            self._db.executemany(_KEEP, map(_fields, self._news.values()))
            self._db.executemany("INSERT INTO resources VALUES (?, ?, ?, ?, ?)", self._resources)
        self._news, self._resources = {}, []

    def _write_on(self) -> None:
        while self._fresh.wait():
            self._fresh.clear()  # before the next line: whoever ends it sets both, at any moment
            if self._over.wait(_MOMENT):
                return
            try:
                self.flush()
            except UsageError as error:
                self._error = error  # for whoever has news next
                return

    def _take(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            step = self._add(event.node, event.stage, event.step, event.attempt, event.at)
            self._open.setdefault(event.key, []).append(step)
        elif isinstance(event, StepDone):
            step = self._end(event, "done", event.text)
            step.updated, step.total = event.updated, event.total
            self._resources += (
                (step.id, r.name, r.recipe, r.seconds, r.updated)
                for r in event.resources
                if r.seconds >= _WORTH_KEEPING
            )
        elif isinstance(event, StepRetried):
            self._end(event, "retried", event.cause)
        elif isinstance(event, StepFailed):
            self._end(event, "failed", event.error)
        elif isinstance(event, NodeSkipped):
            step = self._add(event.node, event.stage, "skipped", 1, event.at)
            step.result, step.ended, step.text = "skipped", event.at, event.why

    def __enter__(self) -> State:
        self._writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._fresh.set()
        self._writer.join()
        try:
            self.flush()
        finally:
            self._db.close()

    def _begin(self, event: RunStarted) -> None:
        values = (
            event.command,
            user(),
            event.deploy,
            event.digest,
            event.manifest,
            __version__,
            event.at,
        )
        with self._lock, explained(self._path), self._db:
            self._db.execute(_INTERRUPTED)  # of a run that was killed
            self._run = (
                self._db.execute(
                    "INSERT INTO runs (command, who, deploy, digest, manifest, version, started)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    values,
                ).lastrowid
                or 0
            )

    def _end_run(self, event: RunDone) -> None:
        with self._lock, explained(self._path), self._db:
            self._write()
            self._db.execute(
                "UPDATE runs SET ended = ?, exit_code = ? WHERE id = ?",
                (event.at, event.exit_code, self._run),
            )
            self._db.execute(_INTERRUPTED)

    def _add(self, node: str, stage: str, step: str, attempt: int, started: float) -> _Step:
        row = _Step(next(self._ids), self._run, node, stage, step, attempt, "running", started)
        self._news[row.id] = row
        return row

    def _end(self, event: StepDone | StepRetried | StepFailed, result: str, text: str) -> _Step:
        begun = self._open[event.key]
        step = begun.pop()
        if not begun:
            del self._open[event.key]
        step.result, step.ended, step.text = result, event.at, text
        self._news[step.id] = step
        return step


def _prepare(db: sqlite3.Connection) -> None:
    """Create the tables, or upgrade those of an older stackcook."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if not version and db.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone():
        db.executescript(f"BEGIN; {_FROM_VERSION_1} COMMIT;")
    db.executescript(_SCHEMA)
    db.execute(f"PRAGMA user_version = {_VERSION}")
