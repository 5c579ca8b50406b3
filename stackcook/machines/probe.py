"""Which of many hosts listen: asked all at once, so that those that are off cost no more than one.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterable

Place = tuple[str, int]
"""An IPv4 address and a port."""

AT_ONCE = 256
"""Connections that are being made; a process may have a thousand open files."""


def listening(places: Iterable[Place], timeout: float) -> set[Place]:
    """Those of ``places`` that accept a connection within ``timeout`` seconds."""
    waiting, found = deque(dict.fromkeys(places)), set()
    # The one that is over first comes first.
    started: deque[tuple[float, socket.socket]] = deque()
    with selectors.DefaultSelector() as selector:
        under_way = 0
        while waiting or started:
            while waiting and under_way < AT_ONCE:
                place = waiting.popleft()
                probe, error = _connect(place)
                if error == errno.EINPROGRESS:
                    selector.register(probe, selectors.EVENT_WRITE, place)
                    started.append((time.monotonic() + timeout, probe))
                    under_way += 1
                    continue
                probe.close()
                if not error:
                    found.add(place)
            for key, _ in selector.select(_left(started)):
                probe = key.fileobj  # type: ignore[assignment]  # what was registered
                if not probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    found.add(key.data)
                selector.unregister(probe)
                probe.close()
                under_way -= 1
            while started and (started[0][1].fileno() < 0 or _left(started) <= 0):
                _, probe = started.popleft()
                if probe.fileno() >= 0:
                    selector.unregister(probe)
                    probe.close()
                    under_way -= 1
    return found


def _connect(place: Place) -> tuple[socket.socket, int]:
    """A connection begun, and why it isn't made yet; 0 where it is."""
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    return probe, probe.connect_ex(place)


def _left(started: deque[tuple[float, socket.socket]]) -> float:
    return max(0.0, started[0][0] - time.monotonic()) if started else 0.0
