"""What is kept of every run: an SQLite file that ``status`` reads while a run writes it."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from stackcook.deploy.events import (
    Event,
    NodeSkipped,
    RunDone,
    RunStarted,
    StepDone,
    StepFailed,
    StepStarted,
)
from stackcook.errors import UsageError

_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY, command TEXT NOT NULL, who TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, exit_code INTEGER
);
CREATE TABLE IF NOT EXISTS steps (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs (id),
    node TEXT NOT NULL, stage TEXT NOT NULL, step TEXT NOT NULL, result TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, text TEXT NOT NULL DEFAULT '',
    updated INTEGER, total INTEGER
);
CREATE INDEX IF NOT EXISTS steps_of_node ON steps (node, id);
"""


@dataclass(frozen=True)
class StepState:
    """One step of one node; times in seconds since the epoch.

    ``result`` is running, done, failed, skipped, or interrupted: begun, by a run that died.
    """

    node: str
    stage: str
    step: str
    result: str
    started: float
    ended: float | None = None
    text: str = ""
    updated: int | None = None
    total: int | None = None


class State:
    """The runs and steps under ``.stackcook``; as a listener it writes down what happens."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The engine emits one event at a time, though from several threads.
        self._path = directory / "state.db"
        with _explained(self._path):
            self._db = sqlite3.connect(
                self._path, check_same_thread=False, isolation_level=None, timeout=30
            )
            self._db.executescript(_SCHEMA)
        self._run = 0

    def __call__(self, event: Event) -> None:
        """Write down an event; progress within a step is not kept."""
        with _explained(self._path):
            self._write(event)

    def _write(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._begin(event)
        elif isinstance(event, StepStarted):
            self._insert(event.node, event.stage, event.step, "running", event.at)
        elif isinstance(event, StepDone):
            self._end(event, "done", event.text, event.updated, event.total)
        elif isinstance(event, StepFailed):
            self._end(event, "failed", event.error, None, None)
        elif isinstance(event, NodeSkipped):
            self._insert(event.node, "", "skipped", "skipped", event.at, event.at, event.why)
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
            "INSERT INTO runs (command, who, started) VALUES (?, ?, ?)",
            (event.command, getpass.getuser(), event.at),
        )
        self._run = cursor.lastrowid or 0

    def _close_open_steps(self) -> None:
        self._db.execute("UPDATE steps SET result = 'interrupted' WHERE result = 'running'")

    def _insert(
        self,
        node: str,
        stage: str,
        step: str,
        result: str,
        started: float,
        ended: float | None = None,
        text: str = "",
    ) -> None:
        self._db.execute(
            "INSERT INTO steps (run, node, stage, step, result, started, ended, text)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (self._run, node, stage, step, result, started, ended, text),
        )

    def _end(
        self,
        event: StepDone | StepFailed,
        result: str,
        text: str,
        updated: int | None,
        total: int | None,
    ) -> None:
        self._db.execute(
            "UPDATE steps SET result = ?, ended = ?, text = ?, updated = ?, total = ?"
            " WHERE run = ? AND node = ? AND step = ? AND result = 'running'",
            (result, event.at, text, updated, total, self._run, event.node, event.step),
        )


def latest(directory: Path) -> dict[str, StepState]:
    """The last step of each node, by name; read without a lock, while a run may write."""
    path = directory / "state.db"
    if not path.exists():
        return {}
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with _explained(path), closing(sqlite3.connect(uri, uri=True)) as db:
        rows = db.execute(
            "SELECT node, stage, step, result, started, ended, text, updated, total FROM steps"
            " WHERE id IN (SELECT max(id) FROM steps WHERE node <> '' GROUP BY node)"
        )
        return {row[0]: StepState(*row) for row in rows}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into a UsageError."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise UsageError(
            f"the record of runs can't be used ({error})",
            where=str(path),
            remedy="is the disk full? If not, move it away: it only holds what `status` shows",
        ) from error


@contextmanager
def exclusive(directory: Path, command: str) -> Iterator[None]:
    """Hold the deployment for one command; the kernel lets go of it however the process ends.

    Raises UsageError that says who holds it and since when.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"{_holder(directory)} is under way",
                where=str(directory.parent),
                remedy="wait until it has ended, or end it; `stackcook status` shows where it is",
            ) from None
        file.truncate(0)
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        holder = {"command": command, "pid": os.getpid(), "who": getpass.getuser(), "since": now}
        file.write(json.dumps(holder))
        file.flush()
        yield


def in_use(directory: Path) -> bool:
    """Whether a command holds the deployment now."""
    try:
        with (directory / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _holder(directory: Path) -> str:
    try:
        holder = json.loads((directory / "lock").read_text())
        return "`stackcook {command}` of {who} (pid {pid}, since {since})".format(**holder)
    except (ValueError, KeyError):  # caught between its lock and its first write
        return "another command"
