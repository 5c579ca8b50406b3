"""What the benchmark of a hundred nodes makes of its figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.ways import IDLE, LOOP, MIB, NATIVE, PINNED, Way, covered, report, verdicts
from tests.scale.measure import Measured

GOOD = {
    NATIVE: Way(NATIVE, 100, Measured(0, "", 150.0, 7.0, 80 * MIB), 2.9, 60 * MIB, (), 145.0),
    NATIVE
    + IDLE: Way(NATIVE + IDLE, 100, Measured(0, "", 55.0, 3, 70 * MIB), 1.0, 60 * MIB, (), 51.0),
    LOOP: Way(LOOP, 10, Measured(0, "", 90.0, 0.0, 3 * MIB), 2.8, 30 * MIB),
    PINNED: Way(PINNED, 10, Measured(0, "", 40.0, 0.0, 3 * MIB), 2.8, 30 * MIB),
}


@pytest.mark.parametrize(
    "spans, seconds",
    [
        ([], 0.0),
        ([(5.0, 7.0)], 2.0),
        ([(5.0, 7.0), (6.0, 9.0)], 4.0),
        ([(20.0, 21.0), (0.0, 10.0), (2.0, 3.0)], 11.0),
    ],
)
def test_a_second_in_which_several_nodes_converge_counts_once(
    spans: list[tuple[float, float]], seconds: float
) -> None:
    assert covered(spans) == seconds


def test_within_the_limits_both_loops_are_compared() -> None:
    lines, met = report(GOOD, 100)
    assert met
    assert f"{LOOP}: extrapolated to 100 nodes, 900 s" in lines
    assert "native is 6.0 times as fast as knife in a loop" in lines
    assert "native is 2.7 times as fast as knife in a loop, pinned" in lines


@pytest.mark.parametrize(
    "name, change, missed",
    [
        (NATIVE, {"run": Measured(0, "", 150.0, 7.6, 80 * MIB)}, "share 5.1%"),
        (NATIVE + IDLE, {"run": Measured(0, "", 55.0, 3.0, 300 * MIB)}, "memory 300 MiB"),
        (NATIVE + IDLE, {"converging": 49.0}, "6.0 s not converging"),
    ],
)
def test_one_that_is_missed_is_the_only_one(
    name: str, change: dict[str, object], missed: str
) -> None:
    ways = {**GOOD, name: replace(GOOD[name], **change)}  # type: ignore[arg-type]
    assert [text for ok, text in verdicts(ways) if not ok and missed in text]
    assert sum(not ok for ok, _ in verdicts(ways)) == 1
    assert not report(ways, 100)[1]


def test_the_loops_are_not_judged() -> None:
    slow = replace(GOOD[LOOP], run=Measured(0, "", 74.0, 0.0, 0))
    assert report({**GOOD, LOOP: slow}, 100)[1]
    assert report({name: way for name, way in GOOD.items() if name != LOOP}, 100)[1]


def test_what_was_measured_before_a_failure_is_printed() -> None:
    lines, met = report({NATIVE: GOOD[NATIVE]}, 100)
    assert not met
    assert any(line.startswith("native ") and "150.0" in line for line in lines)
    assert not report({}, 100)[1]


def test_errors_of_the_chef_server_are_shown_once() -> None:
    native = replace(GOOD[NATIVE], complaints=("[ERROR] no room", "[ERROR] no room"))
    lines, _ = report({**GOOD, NATIVE: native}, 100)
    assert lines.count("Chef server: [ERROR] no room") == 1
