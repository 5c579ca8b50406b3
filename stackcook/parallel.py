"""Calls one function for many values, in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

WORKERS = 8
"""Threads of one map: as many as a ChefClient has connections."""


def parallel_map(
    function: Callable[[T], R],
    values: Iterable[T],
    *,
    workers: int = WORKERS,
    each: Callable[[T, R], None] = lambda value, result: None,
) -> list[R]:
    """``function`` of each value, in their order, computed by up to ``workers`` threads.

    ``each`` is called in this thread for every result as it comes. After an exception, no further
    call begins; the first exception is raised when the running calls have ended.
    """
    values = tuple(values)
    if not values:
        return []
    with ThreadPoolExecutor(max_workers=min(workers, len(values))) as pool:
        futures = {pool.submit(function, value): value for value in values}
        try:
            for future in as_completed(futures):
                each(futures[future], future.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]
