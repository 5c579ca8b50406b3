"""Walks a schedule: each turn on one of a few threads, the next begun as soon as one has ended."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from stackcook.deploy.schedule import Schedule, Turn

SPREAD = 0.1
"""Seconds for each thread over which the first turns begin: not all in the same moment."""


def walk(
    schedule: Schedule,
    take: Callable[[Turn], bool],
    *,
    parallel: int,
    on_interrupt: Callable[[int], None],
    spread: float = SPREAD,
) -> None:
    """Take every turn of ``schedule``, at most ``parallel`` at once; ``take`` says how one went.

    An interrupt lets no new turn begin, and what is under way end; ``on_interrupt`` is told which
    one it is. After the second, which is to end what is under way, KeyboardInterrupt goes on. So
    it does after the first, once all has ended.
    """
    interrupts = 0
    running: dict[Future[bool], Turn] = {}
    first = threading.Semaphore(parallel)

    def turn_of(turn: Turn) -> bool:
        if first.acquire(blocking=False):
            threading.Event().wait(random.uniform(0, spread * parallel))
        return take(turn)

    with ThreadPoolExecutor(max_workers=parallel) as pool:
        while True:
            try:
                _begin(schedule, running, pool, turn_of, parallel)
                if not running:
                    break
                done, _ = wait(running, return_when=FIRST_COMPLETED)
            except KeyboardInterrupt:
                interrupts += 1
                schedule.stop("interrupted")
                on_interrupt(interrupts)
                continue
            for future in done:
                schedule.ended(running.pop(future), future.result())
    if interrupts:
        raise KeyboardInterrupt


def _begin(
    schedule: Schedule,
    running: dict[Future[bool], Turn],
    pool: ThreadPoolExecutor,
    work: Callable[[Turn], bool],
    parallel: int,
) -> None:
    while len(running) < parallel and (turn := schedule.next()):
        running[pool.submit(work, turn)] = turn
