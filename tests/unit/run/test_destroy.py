"""The way back."""

from __future__ import annotations

from pathlib import Path

from stackcook.operations.destroy import destroy
from stackcook.errors import ExitCode, MachineError
from tests.fakes import FakeSite, two_stages


def test_it_goes_back_in_reverse_order(tmp_path: Path) -> None:
    site = FakeSite()
    assert destroy(two_stages(tmp_path), site, ()) is ExitCode.DONE
    assert site.asked == ["destroy compute1 controller", "forget", "stop", "tear down", "remove"]


def test_after_a_failure_all_that_a_second_try_needs_is_there(tmp_path: Path) -> None:
    site = FakeSite()
    site.machines.error = MachineError("busy", where="compute1")
    assert destroy(two_stages(tmp_path), site, ()) is ExitCode.MACHINES
    assert site.asked == ["destroy compute1 controller"]
