"""How reports say how long, and in which order."""

from __future__ import annotations

import pytest

from stackcook.errors import counted
from stackcook.report.format import difference, duration, ending, natural


@pytest.mark.parametrize(
    "seconds, said",
    [
        *((0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s")),
        *((59.6, "1 min 00 s"), (245, "4 min 05 s")),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_differences_have_a_sign_or_are_nothing() -> None:
    assert [difference(x) for x in (1.24, -3, 0.01, None)] == ["+1.2 s", "-3.0 s", "±0.0 s", ""]


def test_nodes_are_in_natural_order() -> None:
    names = ["compute10", "compute2", "10", "9b", "web", "compute2-a"]
    assert sorted(names, key=natural) == ["9b", "10", "compute2", "compute2-a", "compute10", "web"]


@pytest.mark.parametrize(
    "code, ended, under_way, said",
    [
        (0, 1.0, False, "done"),
        (130, 1.0, False, "interrupted"),
        (99, 1.0, False, "failed"),
        (None, None, True, "running"),
        (None, None, False, "killed"),
    ],
)
def test_endings(code: int | None, ended: float | None, under_way: bool, said: str) -> None:
    assert ending(code, ended, under_way) == said


def test_counts() -> None:
    assert [counted(n, "node") for n in (0, 1, 10_000)] == ["0 nodes", "1 node", "10,000 nodes"]
