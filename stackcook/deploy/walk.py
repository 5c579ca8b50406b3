"""Walks a schedule: each turn on one of a few threads, the next begun as soon as one has ended."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import Empty, SimpleQueue

from stackcook.deploy.schedule import Schedule, Turn

SPREAD = 0.1
"""Seconds for each thread over which the first turns begin: not all in the same moment."""

Ended = tuple[Turn, bool, BaseException | None]
News = SimpleQueue[Ended | None]
"""What has ended; None is Ctrl-C."""


def walk(
    schedule: Schedule,
    take: Callable[[Turn], bool],
    *,
    parallel: int,
    on_interrupt: Callable[[int], None],
    spread: float = SPREAD,
) -> None:
    """Take every turn of ``schedule``, at most ``parallel`` at once; ``take`` says how one went.

    Ctrl-C lets no new turn begin, and what is under way end; ``on_interrupt`` is told which one it
    is: the second is to end what is under way. Once all has ended, KeyboardInterrupt is raised.
    What ``take`` raises goes on likewise.
    """
    news: News = SimpleQueue()
    work = _spread(take, news, parallel, spread)
    running = interrupts = 0
    errors: list[BaseException] = []
    with ThreadPoolExecutor(max_workers=parallel) as pool, _noting_interrupts(news):
        while True:
            while running < parallel and (turn := schedule.next()):
                pool.submit(work, turn)
                running += 1
            if not running:
                break
            ended = _next(news)
            if ended is None:
                interrupts += 1
                errors.insert(0, KeyboardInterrupt())
                schedule.stop("interrupted")
                on_interrupt(interrupts)
                continue
            running -= 1
            turn, well, error = ended
            if error:
                errors.append(error)
                schedule.stop(f"{type(error).__name__}: {error}")
            schedule.ended(turn, well)
    if errors:
        raise errors[0]


def _spread(
    take: Callable[[Turn], bool], news: News, parallel: int, spread: float
) -> Callable[[Turn], None]:
    """``take``, reporting to ``news``; the first turns begin one after the other."""
    first = threading.Semaphore(parallel)

    def work(turn: Turn) -> None:
        try:
            if first.acquire(blocking=False):
                threading.Event().wait(random.uniform(0, spread * parallel))
            news.put((turn, take(turn), None))
        except BaseException as error:
            news.put((turn, False, error))

    return work


def _next(news: News) -> Ended | None:
    """Wait for news. A signal that comes just before the wait doesn't end it: so none is long."""
    while True:
        try:
            return news.get(timeout=0.5)
        except Empty:
            continue


@contextmanager
def _noting_interrupts(news: News) -> Iterator[None]:
    """Have Ctrl-C put None into ``news``, instead of breaking off whatever is being done."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    before = signal.signal(signal.SIGINT, lambda *_: news.put(None))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
