"""How long a run will still take, by an earlier one with the same steps."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stackcook.operations.deploy import deploy
from stackcook.operations.runner import Settings
from stackcook.report.format import roughly
from stackcook.run.events import (
    Event,
    PlanChanged,
    RunStarted,
    StepDone,
    StepFailed,
    StepRetried,
    StepStarted,
)
from stackcook.run.forecast import Forecast, Past, past_runs, remember
from stackcook.run.record import last_deploy
from stackcook.run.state import State
from tests.fakes import FakeSite, recipe_error, two_stages

CHECK, ONE, TWO = ("", "check"), ("one", "converge"), ("two", "converge")
STEPS = (CHECK, ONE, TWO)
LAST = Past(100.0, {CHECK: (0, 10), ONE: (10, 40), TWO: (10, 90)})


def started(at: float, key: tuple[str, str]) -> StepStarted:
    return StepStarted(key[1], at, key[0])


def done(at: float, key: tuple[str, str]) -> StepDone:
    return StepDone(key[1], at, 1.0, key[0])


def forecast(*events: Event, past: tuple[Past, ...] = (LAST,)) -> Forecast:
    found = Forecast(past)
    for event in (RunStarted("deploy", 1000.0, ("one", "two"), steps=STEPS), *events):
        found(event)
    return found


def test_it_counts_down() -> None:
    run = forecast()
    assert run.left(1000.0) == 100.0
    run(started(1000.0, CHECK))
    assert run.left(1004.0) == 96.0
    assert run.left(1060.0) == 90.0, "the check takes longer than then"
    run(done(1060.0, CHECK))
    run(started(1060.0, ONE))
    run(started(1060.0, TWO))
    assert run.left(1070.0) == 80.0
    run(done(1080.0, ONE))
    assert run.left(1090.0) == 60.0
    run(done(1100.0, TWO))
    assert run.left(1100.0) is None, "nothing of what is left was there then"


def test_a_node_that_starts_late_makes_the_whole_late() -> None:
    begun = started(1000.0, CHECK), done(1010.0, CHECK), started(1010.0, ONE), done(1030.0, ONE)
    run = forecast(*begun, started(1030.0, TWO))
    assert run.left(1040.0) == 80.0


def test_a_retry_is_part_of_its_step() -> None:
    begun = started(1000.0, CHECK), done(1010.0, CHECK), started(1010.0, ONE), done(1030.0, ONE)
    again = StepRetried("converge", 1020.0, "two", "no mirror", 5.0)
    run = forecast(*begun, started(1010.0, TWO), again, started(1025.0, TWO))
    assert run.left(1040.0) == 60.0


def test_nothing_is_known_without_a_run_that_had_the_same_steps() -> None:
    assert forecast(past=()).left(1000.0) is None
    other = Past(9.0, {**LAST.steps, ("two", "install"): (0, 5)})
    assert forecast(past=(other,)).left(1000.0) is None
    assert forecast(past=(other, LAST)).left(1000.0) == 100.0
    changed = PlanChanged("two", 1000.0, "it is new", ("converge",), ("install", "converge"))
    assert forecast(changed, past=(LAST, other)).left(1000.0) == 9.0


def test_nothing_is_known_after_a_failure() -> None:
    assert forecast(StepFailed("converge", 1001.0, 1.0, "no", "one")).left(1001.0) is None


def test_the_record_has_runs_that_succeeded(tmp_path: Path) -> None:
    """A deploy is like the one before it, except for the first, which installs the nodes."""
    manifest, site = two_stages(tmp_path), FakeSite()
    lefts: list[float | None] = []

    def run(fail: bool = False) -> None:
        site.chef.broken = {"compute1": recipe_error("compute1")} if fail else {}
        seen = Forecast(past_runs(manifest.state, "deploy"))

        def listen(event: Event) -> None:
            seen(event)
            if isinstance(event, StepStarted) and event.step == "verify":
                lefts.append(seen.left(event.at))

        with State(manifest.state) as state:
            last = last_deploy(manifest.state)
            deploy(manifest, site, (state, listen), last=last, settings=Settings())

    run()
    run()
    run()
    assert lefts[:2] == [None, None], "the first one was another kind of run"
    assert lefts[2] is not None and lefts[2] >= 0
    run(fail=True)
    assert len(past_runs(manifest.state, "deploy")) == 3
    assert past_runs(manifest.state, "converge") == ()


def test_a_destroyed_cloud_s_runs_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    manifest, site = two_stages(tmp_path), FakeSite()
    for _ in range(2):
        with State(manifest.state) as state:
            deploy(manifest, site, (state,), last=last_deploy(manifest.state))
    before = past_runs(manifest.state, "deploy")
    remember(manifest.state)
    shutil.rmtree(manifest.state)
    assert past_runs(manifest.state, "deploy") == before and len(before) == 2
    assert past_runs(manifest.state.with_name("other"), "deploy") == ()
    remember(manifest.state)  # a second destroy, without a run in between
    assert past_runs(manifest.state, "deploy") == before


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "[" * 100_000, '{"deploy": 1}', '{"deploy": [1]}', '{"deploy": [["x", []]]}'),
        '{"deploy": [[1, [["a", "converge", 1]]]]}',
        '{"deploy": [[1, [[[], "converge", 1, 2]]]]}',
        '{"deploy": [[1, [["a", "converge", 1, null]]]]}',
    ],
    ids=lambda text: text[:40],
)
def test_a_damaged_file_of_remembered_runs_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    manifest = two_stages(tmp_path)
    with State(manifest.state) as state:
        deploy(manifest, FakeSite(), (state,))
    remember(manifest.state)
    shutil.rmtree(manifest.state)
    (file,) = (tmp_path / "cache" / "stackcook").glob("durations-*.json")
    file.write_text(text)
    assert past_runs(manifest.state, "deploy") == ()


@pytest.mark.parametrize(
    "seconds, said",
    [(0, "about 10 s"), (41, "about 50 s"), (89, "about 90 s"), (91, "about 2 min")],
)
def test_times_are_rough(seconds: float, said: str) -> None:
    assert roughly(seconds) == said
