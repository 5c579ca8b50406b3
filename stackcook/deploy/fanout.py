"""The same work on many items at once: bounded, and every exception becomes a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Result(Generic[T, R]):
    """What became of one item: a ``value``, or the ``error`` that its work raised."""

    item: T
    value: R | None = None
    error: Exception | None = None


def fan_out(
    items: Sequence[T],
    work: Callable[[T], R],
    *,
    parallel: int,
    on_interrupt: Callable[[], None] = lambda: None,
) -> tuple[Result[T, R], ...]:
    """Do ``work`` on each item, at most ``parallel`` at once; results in the items' order.

    When the calling thread is interrupted, no new work begins, ``on_interrupt`` is called to end
    what is under way, and the interrupt goes on once that has ended.
    """

    def guarded(item: T) -> Result[T, R]:
        try:
            return Result(item, value=work(item))
        except Exception as error:
            return Result(item, error=error)

    with ThreadPoolExecutor(max_workers=max(1, parallel)) as pool:
        futures = [pool.submit(guarded, item) for item in items]
        try:
            return tuple(future.result() for future in futures)
        except BaseException:
            for future in futures:
                future.cancel()
            on_interrupt()
            raise
