"""What is kept of runs, and who may run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stackcook.deploy.engine import Engine
from stackcook.deploy.events import RunStarted, StepStarted
from stackcook.deploy.lock import exclusive, in_use
from stackcook.deploy.record import latest
from stackcook.deploy.state import State
from stackcook.errors import ExitCode, UsageError
from tests.fakes import FakeSite, recipe_error, two_stages

HOLD = """
import sys, pathlib
from stackcook.deploy.lock import exclusive
with exclusive(pathlib.Path(sys.argv[1]), "deploy"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_last_step_of_each_node_is_kept(tmp_path: Path) -> None:
    manifest, site = two_stages(tmp_path, computes=2), FakeSite()
    site.chef.broken["compute2"] = recipe_error("compute2")
    with State(manifest.state) as state:
        assert Engine(manifest, site, (state,)).deploy() is ExitCode.NODES
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


def test_what_a_killed_run_left_open_is_interrupted_for_the_next(tmp_path: Path) -> None:
    with State(tmp_path) as killed:
        killed(RunStarted("deploy", 1.0, ("controller",)))
        killed(StepStarted("bootstrap", 2.0, "controller"))
    assert latest(tmp_path)["controller"].result == "running"
    with State(tmp_path) as state:
        state(RunStarted("deploy", 3.0, ("controller",)))
    assert latest(tmp_path)["controller"].result == "interrupted"


def test_only_one_command_at_a_time_and_the_second_says_who(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    ) as other:
        assert other.stdout and other.stdout.readline() == b"held\n"
        assert in_use(tmp_path)
        with pytest.raises(UsageError) as refused, exclusive(tmp_path, "converge"):
            raise AssertionError("both hold it")
        assert "`stackcook deploy` of" in str(refused.value)
        assert f"pid {other.pid}, since 20" in str(refused.value)
        assert refused.value.exit_code is ExitCode.USAGE
        other.kill()
    with exclusive(tmp_path, "converge"):
        assert in_use(tmp_path)
    assert not in_use(tmp_path)
