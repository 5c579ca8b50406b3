"""What is kept of runs, and who may run."""

from __future__ import annotations

import fcntl
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

from stackcook.operations.deploy import deploy
from stackcook.run.events import (
    Event,
    RunDone,
    RunStarted,
    StepDone,
    StepFailed,
    StepRetried,
    StepStarted,
)
from stackcook.run.history import runs
from stackcook.run.lock import exclusive, in_use, is_deployed, refuse
from stackcook.run.record import deploy_began, last_deploy, latest
from stackcook.run.state import State
from stackcook.errors import ExitCode, UsageError
from stackcook.verify.check import Check
from tests.fakes import FakeSite, recipe_error, two_stages

KILLED = """
import os, pathlib, signal, sys
from stackcook.run.events import RunStarted, StepDone, StepStarted
from stackcook.run.state import State
state = State(pathlib.Path(sys.argv[1]))
state(RunStarted("deploy", 1.0, ("one", "two"), deploy="d-1"))
state(StepStarted("converge", 2.0, "one"))
state(StepDone("converge", 3.0, 1.0, "one"))
state(StepStarted("converge", 2.0, "two"))
state.flush()
state(StepDone("converge", 3.0, 1.0, "two"))
os.kill(os.getpid(), signal.SIGKILL)
"""
HOLD = """
import sys, pathlib
from stackcook.run.lock import exclusive
with exclusive(pathlib.Path(sys.argv[1]), "deploy"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_last_step_of_each_node_is_kept(tmp_path: Path) -> None:
    manifest, site = two_stages(tmp_path, computes=2), FakeSite()
    site.chef.broken["compute2"] = recipe_error("compute2")
    with State(manifest.state) as state:
        assert deploy(manifest, site, (state,)) is ExitCode.NODES
    found = latest(manifest.state)
    assert {name: step.result for name, step in found.items()} == {
        "controller": "done",
        "compute1": "done",
        "compute2": "failed",
    }
    assert (found["controller"].updated, found["controller"].total) == (3, 4)
    assert "execute[boom]" in found["compute2"].text


def test_nothing_is_known_and_nothing_made_before_the_first_run(tmp_path: Path) -> None:
    assert latest(tmp_path / "state") == {}
    assert not in_use(tmp_path / "state")
    assert not (tmp_path / "state").exists()


FULL_DISK = """
import pathlib, resource, signal, sys
from stackcook.errors import UsageError
from stackcook.run.state import State
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    State(pathlib.Path(sys.argv[1]))
except UsageError:
    sys.exit(3)
"""


def test_nothing_is_known_after_a_full_disk_at_the_first_run(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    assert subprocess.run(argv, cwd=Path(__file__).parents[3]).returncode == 3
    assert (tmp_path / "state.db").exists()
    assert latest(tmp_path) == {} and runs(tmp_path) == () and last_deploy(tmp_path) is None
    assert not is_deployed(tmp_path)
    with State(tmp_path) as state:
        state(RunStarted("deploy", 3.0, ("one",)))
    assert len(runs(tmp_path)) == 1


def test_what_a_killed_run_left_open_is_interrupted_for_the_next(tmp_path: Path) -> None:
    with State(tmp_path) as killed:
        killed(RunStarted("deploy", 1.0, ("controller",)))
        killed(StepStarted("bootstrap", 2.0, "controller"))
    assert latest(tmp_path)["controller"].result == "running"
    with State(tmp_path) as state:
        state(RunStarted("deploy", 3.0, ("controller",)))
    assert latest(tmp_path)["controller"].result == "interrupted"


def test_a_run_that_was_killed_leaves_what_it_had_written(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", KILLED, str(tmp_path)]
    assert subprocess.run(argv, cwd=Path(__file__).parents[3]).returncode == -signal.SIGKILL
    assert {name: step.result for name, step in latest(tmp_path).items()}["one"] == "done"
    last = last_deploy(tmp_path)
    assert last and (last.id, last.exit_code) == ("d-1", None)
    assert last.done >= {"one"} and last.done | last.failed == {"one", "two"}
    with State(tmp_path) as state:
        state(RunStarted("deploy", 4.0, ("one", "two"), deploy="d-1"))
        state(StepStarted("converge", 5.0, "two"))
        state(StepDone("converge", 6.0, 1.0, "two"))
    last = last_deploy(tmp_path)
    assert last and last.done == {"one", "two"}
    assert deploy_began(tmp_path) == 1.0


def test_who_failed_is_not_forgotten_by_a_run_that_did_not_get_to_them(tmp_path: Path) -> None:
    nodes = ("failed", "between", "waiting", "done", "new")

    def runs(state: State, node: str, step: str, end: type[Event] | None = StepDone) -> None:
        state(StepStarted(step, 2.0, node))
        if end is StepDone:
            state(StepDone(step, 3.0, 1.0, node))
        elif end is StepFailed:
            state(StepFailed(step, 3.0, 1.0, "no", node))
        elif end is StepRetried:
            state(StepRetried(step, 3.0, node, "no", 9.0))

    with State(tmp_path) as state:
        state(RunStarted("deploy", 1.0, nodes, deploy="d-1"))
        runs(state, "failed", "converge", StepFailed)
        state(RunDone("deploy", 4.0, 3.0, ExitCode.NODES))
    with State(tmp_path) as state:  # goes on with it, and is killed
        state(RunStarted("deploy", 5.0, nodes, deploy="d-1"))
        for node in nodes:
            runs(state, node, "reach")
        runs(state, "done", "converge")
        runs(state, "between", "install")
        runs(state, "waiting", "converge", StepRetried)
    last = last_deploy(tmp_path)
    assert last and last.failed == {"failed", "between", "waiting"}
    assert last.done == {"done"}


def test_the_record_is_read_while_somebody_writes_it(tmp_path: Path) -> None:
    with State(tmp_path) as state:
        state(RunStarted("deploy", 1.0, ("one",), deploy="d-1"))
        state(StepStarted("converge", 2.0, "one"))
        state.flush()
        with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("UPDATE steps SET result = 'done'")
            assert latest(tmp_path)["one"].result == "running"
            writer.execute("ROLLBACK")


def test_an_end_at_the_moment_of_writing_is_heard(tmp_path: Path) -> None:
    class Late(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            over = self.is_set()
            self.set()  # the end comes just after the look whether it has come
            state._fresh.set()
            return over

    with State(tmp_path) as state:
        state._over = Late()
        state(RunStarted("deploy", 1.0, ("one",)))
        state(StepStarted("converge", 2.0, "one"))
        state._writer.join(30)
        assert not state._writer.is_alive()


def test_each_news_is_written_soon_without_a_word(tmp_path: Path) -> None:
    deadline = time.monotonic() + 60
    with State(tmp_path) as state:
        state(RunStarted("deploy", 1.0, ("one",)))
        for step in ("preflight", "converge"):
            state(StepStarted(step, 2.0, "one"))
            while step not in (found.step for found in latest(tmp_path).values()):
                assert time.monotonic() < deadline, "nobody has written it"


def test_a_record_that_breaks_is_said_at_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot use the history of runs"):
        with State(tmp_path) as state:
            state(RunStarted("deploy", 1.0, ("one",)))
            with closing(sqlite3.connect(tmp_path / "state.db")) as other:
                other.execute("DROP TABLE steps")
            state(StepStarted("converge", 2.0, "one"))
            state.flush()


def test_a_node_that_was_only_reached_is_what_it_was_before(tmp_path: Path) -> None:
    ends = (
        StepDone("converge", 1.0, 1.0, "one"),
        StepDone("reach", 2.0, 1.0, "one"),
        StepFailed("reach", 3.0, 1.0, "no SSH answer", "one"),
    )
    found = []
    with State(tmp_path) as state:
        for end in ends:
            state(RunStarted("deploy", end.at, ("one",)))
            state(StepStarted(end.step, end.at, "one"))
            state(end)
            state.flush()
            found.append((latest(tmp_path)["one"].step, latest(tmp_path)["one"].result))
    assert found == [("converge", "done"), ("converge", "done"), ("reach", "failed")]


def test_only_one_command_at_a_time_and_the_second_says_who(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    ) as other:
        assert other.stdout and other.stdout.readline() == b"held\n"
        assert in_use(tmp_path)
        with pytest.raises(UsageError) as refused, exclusive(tmp_path, "converge"):
            raise AssertionError("both hold it")
        assert "`stackcook deploy` (pid" in str(refused.value)
        assert f"pid {other.pid}, started by root at 20" in str(refused.value)
        assert refused.value.exit_code is ExitCode.USAGE
        other.kill()
    with exclusive(tmp_path, "converge"):
        assert in_use(tmp_path)
    assert not in_use(tmp_path)


@pytest.mark.parametrize("text", [b"", b"7", b"[]", b'{"pid": 1}', b"\xff"])
def test_a_damaged_lock_file_is_that_of_another_command(tmp_path: Path, text: bytes) -> None:
    with exclusive(tmp_path, "deploy"):
        (tmp_path / "lock").write_bytes(text)
        with pytest.raises(UsageError, match="^.*: another command is running; wait"):
            refuse(tmp_path)


def test_who_only_looks_keeps_nobody_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exclusive(tmp_path, "deploy"):
        pass
    looking, flock = (tmp_path / "lock").open(), fcntl.flock
    flock(looking, fcntl.LOCK_SH)

    def no_longer(file: IO[str], kind: int) -> None:
        try:
            flock(file, kind)
        finally:
            looking.close()

    monkeypatch.setattr(fcntl, "flock", no_longer)
    with exclusive(tmp_path, "converge"):
        assert in_use(tmp_path)


def test_checks_that_fail_within_a_step_leave_it_its_end(tmp_path: Path) -> None:
    site = FakeSite()
    site.bad = (Check("catalog", "", False, "empty", "look"),)
    manifest = two_stages(tmp_path)
    with State(manifest.state) as state:
        assert deploy(manifest, site, (state,)) is ExitCode.VERIFY
    with sqlite3.connect(manifest.state / "state.db") as db:
        rows = db.execute("SELECT result, text FROM steps WHERE step = 'verify'").fetchall()
    assert [result for result, _ in rows] == ["failed", "failed"]


def test_the_record_of_an_older_stackcook_is_brought_up_to_date(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state.db") as db:
        db.executescript(
            "CREATE TABLE runs (id INTEGER PRIMARY KEY, command TEXT NOT NULL, who TEXT NOT NULL,"
            " started REAL NOT NULL, ended REAL, exit_code INTEGER);"
            "CREATE TABLE steps (id INTEGER PRIMARY KEY, run INTEGER NOT NULL, node TEXT NOT NULL,"
            " stage TEXT NOT NULL, step TEXT NOT NULL, result TEXT NOT NULL, started REAL NOT NULL,"
            " ended REAL, text TEXT NOT NULL DEFAULT '', updated INTEGER, total INTEGER);"
            "INSERT INTO runs VALUES (1, 'deploy', 'me', 1.0, 2.0, 0);"
            "INSERT INTO steps VALUES (1, 1, 'one', 'all', 'converge', 'done', 1.0, 2.0, '', 0, 4);"
        )
    with State(tmp_path) as state:
        state(RunStarted("deploy", 3.0, ("one",), deploy="d-1", digest="x"))
        assert latest(tmp_path)["one"].result == "done"
        found = last_deploy(tmp_path)
    assert found and (found.id, found.digest, found.done) == ("d-1", "x", frozenset())
