"""What runs on nodes now, so that an interrupt can end it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stackcook.parallel import parallel_map

End = Callable[[], None]
"""Ends something that has begun; from another thread."""


class Underway:
    """Takes note of what begins and is over, on any number of nodes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: list[End] = []
        self._over = False

    @contextmanager
    def noting(self) -> Iterator[Callable[[End], None]]:
        """Yields what takes the end of something that has begun; it is over after the block."""
        mine: list[End] = []

        def note(end: End) -> None:
            with self._lock:
                mine.append(end)
                self._ends.append(end)
                over = self._over
            if over:  # it began while the others were being ended
                end()

        try:
            yield note
        finally:
            with self._lock:
                self._ends = [end for end in self._ends if end not in mine]

    def end(self) -> None:
        """End everything, and what begins from now on."""
        with self._lock:
            self._over = True
            ends = tuple(self._ends)
        parallel_map(lambda end: end(), ends, workers=32)  # a dead node must not keep the others
