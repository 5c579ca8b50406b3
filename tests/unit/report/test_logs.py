"""Which lines of a node's log belong to a step, and which of them tell why it failed."""

from __future__ import annotations

import calendar
from pathlib import Path

import pytest

from stackcook.run.record import StepState
from stackcook.report import logs

AT = calendar.timegm((2026, 11, 22, 10, 0, 0))
LOG = """\
=== 2026-11-22T10:00:00Z web1: install
10:00:00Z installing
10:00:05Z === 2026-11-22T10:00:05Z web1: converge
=== 2026-11-22T10:00:10Z web1: converge
10:00:11Z first
=== 2026-11-22T10:00:30Z web1: converge
10:00:31Z second
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "web1.log").write_text(LOG)
    return tmp_path / "web1.log"


def step(name: str, started: float, ended: float | None) -> StepState:
    end = None if ended is None else AT + ended
    return StepState("web1", "all", name, "failed", AT + started, end)


@pytest.mark.parametrize(
    "wanted, lines",
    [
        (step("converge", 10.4, 29.0), ("10:00:11Z first",)),
        (step("converge", 30.9, None), ("10:00:31Z second",)),
        (step("converge", 60.0, 61.0), ()),
        (step("register", 0.0, 61.0), ()),
        (
            step("install", 0.2, 6.0),
            ("10:00:00Z installing", "10:00:05Z === 2026-11-22T10:00:05Z web1: converge"),
        ),
    ],
    ids=["the first try", "the last, under way", "none then", "no such step", "a node's own ==="],
)
def test_a_step_s_lines(log: Path, wanted: StepState, lines: tuple[str, ...]) -> None:
    assert logs.step_output(log, wanted) == lines


def test_only_the_end_of_a_log_is_read_from_the_beginning_of_a_line(log: Path) -> None:
    assert logs.end_of(log, 30) == "10:00:31Z second\n"
    assert logs.end_of(log) == LOG
    assert logs.end_of(log.with_name("none.log")) == ""


def test_the_gist_is_chef_s_error_report_else_the_last_lines() -> None:
    rule = f"10:00:00Z     {'=' * 80}"
    lines = (*["10:00:00Z noise"] * 100, rule, *["10:00:00Z why"] * 100)
    assert logs.error_lines(lines, 3) == (rule, "10:00:00Z why", "10:00:00Z why")
    assert logs.error_lines(("a", "b", "c"), 2) == ("b", "c")
