"""How often something is looked at until it is good, and what a failure says to do."""

from __future__ import annotations

import pytest

from stackcook.errors import VerifyError
from stackcook.verify import check
from stackcook.verify.check import pointing_here


def test_a_look_that_takes_long_is_repeated_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at a slow cloud must not keep it so busy that it never becomes good."""
    now, pauses = [0.0], []
    lasting = iter([0.2, 4.0, 0.2, 2.0])
    monkeypatch.setattr(check.time, "monotonic", lambda: now[0])

    def look() -> float:
        now[0] += next(lasting)
        return now[0]

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    assert check.poll(12.0, look, lambda at: at > 20.0, pause) >= 12.0
    assert pauses == pytest.approx([1.0, 4.0, 1.0])


def test_other_commands_point_to_verify_if_there_is_no_better_advice() -> None:
    with pytest.raises(VerifyError, match="^it is down; run `stackcook verify`"), pointing_here():
        raise VerifyError("it is down")
    with pytest.raises(VerifyError, match="^it is down; start it$"), pointing_here():
        raise VerifyError("it is down", remedy="start it")
