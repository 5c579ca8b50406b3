"""A node's log: its lines' times are those of the steps that are written down beside it."""

from __future__ import annotations

import calendar
import time
from pathlib import Path

import pytest

from stackcook.run.logs import NodeLog, path_of
from stackcook.run.record import StepState
from stackcook.report.logs import step_output


def test_a_step_s_lines_are_found_by_its_own_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The C library's clock of whole seconds may still be in the second before."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    began = calendar.timegm((2031, 5, 17, 9, 30, 0)) + 0.001
    monkeypatch.setattr(time, "time", lambda: began)
    with NodeLog(tmp_path, "one", "converge") as log:
        log("it is broken")
    step = StepState("one", "all", "converge", "failed", began, began + 0.5)
    assert step_output(path_of(tmp_path, "one"), step) == ("09:30:00Z it is broken",)
