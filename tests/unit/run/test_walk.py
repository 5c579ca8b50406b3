"""Turns on a few threads: how many at once, and who has the place of one that waits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import pytest

from stackcook.operations.fanout import fan_out
from stackcook.operations.walk import MOST_ASIDE, Aside, walk

LONG = 10.0
"""Seconds after which something that is to come will never come."""


class Row:
    """Turns in a row; ``ends`` notes how each one ended."""

    def __init__(self, *turns: str) -> None:
        self.left = deque(turns)
        self.ends: list[tuple[str, bool]] = []

    def next(self) -> str | None:
        return self.left.popleft() if self.left else None

    def ended(self, turn: str, well: bool) -> None:
        self.ends.append((turn, well))

    def stop(self, why: str) -> None:
        self.left.clear()


def take_all(row: Row, take: Callable[[str, Aside], bool | None], parallel: int = 1) -> None:
    walk(row, take, parallel=parallel, on_interrupt=lambda _: None, spread=0)


def test_another_turn_has_the_place_of_one_that_waits() -> None:
    row, second = Row("first", "second"), threading.Event()

    def take(turn: str, aside: Aside) -> bool:
        if turn == "second":
            second.set()
            return True
        with aside():
            return second.wait(LONG)

    take_all(row, take)
    assert row.ends == [("second", True), ("first", True)]


def test_who_comes_back_waits_for_a_place() -> None:
    row, now, most = Row(*map(str, range(60))), set[str](), [0]

    def take(turn: str, aside: Aside) -> bool:
        with aside():
            pass
        now.add(turn)
        most[0] = max(most[0], len(now))
        now.discard(turn)
        return True

    take_all(row, take, parallel=3)
    assert len(row.ends) == 60 and most[0] <= 3


def test_not_every_turn_may_wait_aside() -> None:
    most = MOST_ASIDE + 1  # and the one that has the place
    row, begun, all_there = Row(*map(str, range(most + 50))), list[str](), threading.Event()

    def take(turn: str, aside: Aside) -> bool:
        begun.append(turn)
        if len(begun) == most:
            all_there.set()
        with aside():
            assert all_there.wait(LONG)
        return True

    take_all(row, take)
    assert len(row.ends) == most + 50 and all(well for _, well in row.ends)


def test_what_breaks_in_the_telling_still_waits_for_those_under_way() -> None:
    class Broken(Row):
        def ended(self, turn: str, well: bool) -> None:
            super().ended(turn, well)
            raise ValueError(turn)

    row, aside_now = Broken("first", "second", "third"), threading.Event()

    def take(turn: str, aside: Aside) -> bool:
        if turn == "second":
            return aside_now.wait(LONG)
        with aside():
            aside_now.set()
        return True

    with pytest.raises(ValueError):
        take_all(row, take, parallel=2)
    assert {turn for turn, _ in row.ends} >= {"first", "second"}


def test_one_that_fails_leaves_the_others_their_results() -> None:
    def work(item: int, aside: Aside) -> int:
        if item == 2:
            raise ValueError("two")
        return item * 10

    results = fan_out([1, 2, 3], work, parallel=2, on_interrupt=lambda _: None)
    assert [(each.item, each.value, str(each.error or "")) for each in results] == [
        (1, 10, ""),
        (2, None, "two"),
        (3, 30, ""),
    ]
