"""Takes turns: each on one of a few threads, the next begun as soon as one has ended."""

from __future__ import annotations

import random
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar, Union

SPREAD = 0.1
"""Seconds for each thread over which the first turns begin: not all in the same moment."""

MOST_ASIDE = 64
"""Turns that may wait aside for another try, while others are taken in their place.

Where nothing goes well, as without a mirror, not every node is to be begun.
"""

T = TypeVar("T")
Aside = Callable[[], AbstractContextManager[None]]


class Turns(Protocol[T]):
    """What there is to do, in its order; asked and told by one thread only."""

    def next(self) -> T | None:
        """What begins now; None until something else has ended, or for good."""
        ...

    def ended(self, turn: T, well: bool) -> None:
        """How a turn ended."""
        ...

    def stop(self, why: str) -> None:
        """Nothing more is to begin."""
        ...


@dataclass(frozen=True)
class _Ended(Generic[T]):
    """How a turn ended: ``well`` is None where it was broken off."""

    turn: T
    well: bool | None = None
    error: BaseException | None = None


@dataclass(frozen=True)
class _Aside:
    """A turn waits for another try; with ``back`` set it may go on with that."""

    back: threading.Event | None = None


@dataclass(frozen=True)
class _Interrupt:
    """Ctrl-C."""


_News = SimpleQueue[Union[_Ended[T], _Aside, _Interrupt]]


def walk(
    turns: Turns[T],
    take: Callable[[T, Aside], bool | None],
    *,
    parallel: int,
    on_interrupt: Callable[[int], None],
    spread: float = SPREAD,
) -> None:
    """Take every turn, at most ``parallel`` at once; ``take`` says how one went, None: broken off.

    It gets the turn, and a context to enter while it waits: another turn has its place meanwhile.
    Ctrl-C lets no new turn begin, and what is under way end; ``on_interrupt`` is told which one it
    is: the second is to end what is under way. Once all has ended, KeyboardInterrupt is raised.
    What ``take`` raises goes on likewise.
    """
    news: _News[T] = SimpleQueue()
    with _Crew(take, news, parallel, spread) as crew, _noting_interrupts(news):
        errors = _Foreman(turns, crew, parallel, on_interrupt).errors(news)
    if errors:
        raise errors[0]


class _Foreman(Generic[T]):
    """Hands out the turns, and takes in the news."""

    def __init__(
        self,
        turns: Turns[T],
        crew: _Crew[T],
        parallel: int,
        on_interrupt: Callable[[int], None],
    ) -> None:
        self._turns = turns
        self._crew = crew
        self._parallel = parallel
        self._on_interrupt = on_interrupt
        self._begun = self._aside = self._interrupts = 0
        self._returning: deque[threading.Event] = deque()
        self._errors: list[BaseException] = []

    def errors(self, news: _News[T]) -> list[BaseException]:
        """Go on until all has ended; what went wrong, an interrupt first."""
        self._hand_out()
        while self._begun:
            found = _next(news)
            try:
                self._heed(found)
            except Exception as error:  # those under way are still waited for
                self._fail(error)
            self._hand_out()
        return self._errors

    def _heed(self, found: _Ended[T] | _Aside | _Interrupt) -> None:
        if isinstance(found, _Ended):
            self._begun -= 1
            if found.error:
                self._fail(found.error)
            if found.well is not None:
                self._turns.ended(found.turn, found.well)
        elif isinstance(found, _Interrupt):
            self._interrupts += 1
            self._errors.insert(0, KeyboardInterrupt())
            self._turns.stop("interrupted")
            self._on_interrupt(self._interrupts)
        elif found.back:
            self._returning.append(found.back)
        else:
            self._aside += 1

    def _fail(self, error: BaseException) -> None:
        self._errors.append(error)
        self._turns.stop(f"{type(error).__name__}: {error}")

    def _hand_out(self) -> None:
        """As many as may be at work: first those that come back from where they have waited."""
        while self._begun - self._aside < self._parallel:
            if self._returning:
                self._returning.popleft().set()
                self._aside -= 1
                continue
            room = self._begun < self._parallel + MOST_ASIDE
            turn = self._turns.next() if room else None
            if turn is None:
                return
            self._begun += 1
            self._crew.begin(turn, self._begun)


class _Crew(Generic[T]):
    """Threads that take turns, as many as were ever needed at once."""

    def __init__(
        self,
        take: Callable[[T, Aside], bool | None],
        news: _News[T],
        parallel: int,
        spread: float,
    ) -> None:
        self._take = take
        self._news = news
        self._parallel = parallel
        self._spread = spread
        self._todo: SimpleQueue[tuple[T] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def begin(self, turn: T, begun: int) -> None:
        """Have a turn taken, the last of so many that have ``begun`` and not ended."""
        if begun > len(self._threads):
            first = len(self._threads) < self._parallel
            after = random.uniform(0, self._spread * self._parallel) if first else 0.0
            self._threads.append(threading.Thread(target=self._work, args=(after,)))
            self._threads[-1].start()
        self._todo.put((turn,))

    def __enter__(self) -> _Crew[T]:
        return self

    def __exit__(self, *_: object) -> None:
        for _thread in self._threads:
            self._todo.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, after: float) -> None:
        threading.Event().wait(after)
        while work := self._todo.get():
            (turn,) = work
            try:
                self._news.put(_Ended(turn, self._take(turn, self._aside)))
            except BaseException as error:
                self._news.put(_Ended(turn, False, error))

    @contextmanager
    def _aside(self) -> Iterator[None]:
        self._news.put(_Aside())
        try:
            yield
        finally:
            back = threading.Event()
            self._news.put(_Aside(back))
            back.wait()


def _next(news: _News[T]) -> _Ended[T] | _Aside | _Interrupt:
    """Wait for news. A signal that comes just before the wait doesn't end it: so none is long."""
    while True:
        try:
            return news.get(timeout=0.5)
        except Empty:
            continue


@contextmanager
def _noting_interrupts(news: _News[T]) -> Iterator[None]:
    """Have Ctrl-C put into ``news``, instead of breaking off whatever is being done."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    before = signal.signal(signal.SIGINT, lambda *_: news.put(_Interrupt()))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
