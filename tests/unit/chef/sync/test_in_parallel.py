"""Many requests at once: results in order, the first failure ends them."""

from __future__ import annotations

import threading

import pytest

from stackcook.chef.rest.client import CONNECTIONS
from stackcook.chef.sync.listing import in_parallel


def test_results_keep_their_order_and_each_is_told() -> None:
    told: dict[int, int] = {}
    assert in_parallel(lambda n: n * n, range(50), each=told.__setitem__) == [
        n * n for n in range(50)
    ]
    assert told == {n: n * n for n in range(50)}
    assert in_parallel(str, ()) == []


def test_as_many_at_once_as_there_are_connections() -> None:
    all_there = threading.Barrier(CONNECTIONS)
    in_parallel(lambda _: all_there.wait(10), range(2 * CONNECTIONS))


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_the_first_failure_ends_it(kind: type[BaseException]) -> None:
    begun: list[int] = []

    def fail(number: int) -> None:
        begun.append(number)
        if number >= 3:
            raise kind("failed")

    before = threading.active_count()
    with pytest.raises(kind, match="failed"):
        in_parallel(fail, range(10_000))
    assert threading.active_count() == before
    assert len(begun) <= 3 + CONNECTIONS
