"""Keeps SSH connections open between a node's steps: a login takes longer than most steps."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stackcook.command import Completed, Say, Secret
from stackcook.remote.base import Connect, Host, Remote

MAX_IDLE = 128
"""Idle connections that are kept."""

_FRESH = 5.0
"""Seconds for which an idle connection is used again without a check."""


class Pool:
    """A :class:`Connect` whose connections return to it when they are closed.

    One that has failed, or is closed while a command runs, is really closed. Thread-safe;
    ``clock`` gives seconds.
    """

    def __init__(
        self, opener: Connect, most: int = MAX_IDLE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._opener = opener
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: OrderedDict[Host, tuple[Remote, float]] = OrderedDict()

    def __call__(self, host: Host, known_hosts: Path, *, timeout: float = 20.0) -> Remote:
        """The idle connection to ``host``, if it still works, or a new one."""
        return self._lend(host, known_hosts, timeout, self._opener)

    def by(self, opener: Connect) -> Connect:
        """The same pool, with ``opener`` for new connections."""

        def open(host: Host, known_hosts: Path, *, timeout: float = 20.0) -> Remote:
            return self._lend(host, known_hosts, timeout, opener)

        return open

    def close(self) -> None:
        """End the idle connections."""
        with self._lock:
            idle = [remote for remote, _ in self._idle.values()]
            self._idle.clear()
        for remote in idle:
            remote.close()

    def _lend(self, host: Host, known_hosts: Path, timeout: float, opener: Connect) -> Remote:
        with self._lock:
            found = self._idle.pop(host, None)
        if found and self._works(*found):
            remote = found[0]
        else:
            remote = opener(host, known_hosts, timeout=timeout)
        return _Lent(remote, lambda good: self._back(host, remote, good))

    def _works(self, remote: Remote, since: float) -> bool:
        if self._clock() - since < _FRESH or remote.answers(timeout=10):
            return True
        remote.close()  # the machine was restarted or replaced
        return False

    def _back(self, host: Host, remote: Remote, good: bool) -> None:
        over = [] if good else [remote]
        with self._lock:
            if good:
                before = self._idle.pop(host, None)
                self._idle[host] = (remote, self._clock())
                over += [before[0]] if before else []
            while len(self._idle) > self._most:
                over.append(self._idle.popitem(last=False)[1][0])
        for each in over:
            each.close()


class _Lent(Remote):
    """A connection out of the pool; ``back`` is called with whether it still works."""

    def __init__(self, remote: Remote, back: Callable[[bool], None]) -> None:
        self._remote = remote
        self._back = back
        self._lock = threading.Lock()
        self._running = 0
        self._closed = False
        self._bad = False

    def run(
        self,
        command: str,
        *,
        stdin: str = "",
        on_line: Say | None = None,
        timeout: float | None = None,
        apart: bool = False,
        content: Iterable[bytes] = (),
    ) -> Completed:
        with self._using():
            return self._remote.run(
                command, stdin=stdin, on_line=on_line, timeout=timeout, apart=apart, content=content
            )

    def become(self) -> Secret | None:
        with self._using():
            return self._remote.become()

    def answers(self, timeout: float) -> bool:
        return self._remote.answers(timeout)

    def close(self) -> None:
        with self._lock:
            closed, self._closed = self._closed, True
            good = not self._bad and not self._running
        if not closed:
            self._back(good)

    @contextmanager
    def _using(self) -> Iterator[None]:
        with self._lock:
            self._running += 1
        try:
            yield
        except BaseException:
            self._bad = True
            raise
        finally:
            with self._lock:
                self._running -= 1
