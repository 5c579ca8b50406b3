"""Many calls at once: results in order, the first failure ends them."""

from __future__ import annotations

import threading

import pytest

from stackcook.parallel import parallel_map


def test_results_are_in_order_and_each_is_reported() -> None:
    seen: dict[int, int] = {}
    squares = [n * n for n in range(50)]
    assert parallel_map(lambda n: n * n, range(50), each=seen.__setitem__) == squares
    assert seen == dict(enumerate(squares))
    assert parallel_map(str, ()) == []


def test_all_workers_run_at_once() -> None:
    barrier = threading.Barrier(8)
    parallel_map(lambda _: barrier.wait(10), range(16), workers=8)


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_the_first_failure_ends_it(kind: type[BaseException]) -> None:
    begun: list[int] = []
    raised = threading.Event()

    def call(number: int) -> None:
        begun.append(number)
        if number == 3:
            raised.set()
            raise kind("failed")
        raised.wait(10)
        pause.wait(0.01)

    pause = threading.Event()
    before = threading.active_count()
    with pytest.raises(kind, match="failed"):
        parallel_map(call, range(1_000), workers=4)
    assert threading.active_count() == before
    assert len(begun) < 1_000
