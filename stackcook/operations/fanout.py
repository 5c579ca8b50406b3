"""The same work on many items at once: bounded, and every exception becomes a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from stackcook.operations.walk import Aside, walk

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Result(Generic[T, R]):
    """What became of one item: a ``value``, or the ``error`` that its work raised.

    Neither where its work returned nothing, or never began.
    """

    item: T
    value: R | None = None
    error: Exception | None = None


class _Numbers:
    """Turns: 0, 1, … up to ``count``."""

    def __init__(self, count: int) -> None:
        self._left = iter(range(count))

    def next(self) -> int | None:
        return next(self._left, None)

    def ended(self, turn: int, well: bool) -> None:
        """All the same."""

    def stop(self, why: str) -> None:
        self._left = iter(range(0))


def fan_out(
    items: Sequence[T],
    work: Callable[[T, Aside], R],
    *,
    parallel: int,
    on_interrupt: Callable[[int], None],
) -> tuple[Result[T, R], ...]:
    """Do ``work`` on each item, at most ``parallel`` at once; results in the items' order.

    ``work`` gets the item, and a context to enter while it waits; ``on_interrupt`` is told of each
    Ctrl-C: both as in :func:`~stackcook.operations.walk.walk`.
    """
    results = [Result[T, R](item) for item in items]

    def take(turn: int, aside: Aside) -> bool:
        try:
            results[turn] = Result(items[turn], value=work(items[turn], aside))
        except Exception as error:
            results[turn] = Result(items[turn], error=error)
        return True

    walk(_Numbers(len(items)), take, parallel=parallel, on_interrupt=on_interrupt, spread=0)
    return tuple(results)
