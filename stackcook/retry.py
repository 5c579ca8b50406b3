"""The one retry policy: which failures are transient, and how long to wait before another try.

The schedule of a run, requests to the Chef server, SSH logins, apt and chef-client runs all take
both answers from here. Pure but for :func:`call`, which sleeps.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from stackcook.errors import StackcookError

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backoff:
    """Seconds to wait after the first, second, … failed try; no more tries once they are used up.

    Each is multiplied by a random factor from ``jitter``, since others may be retrying as well.
    """

    waits: tuple[float, ...]
    jitter: tuple[float, float] = (1.0, 1.5)

    def after(self, attempt: int) -> float | None:
        """Seconds to wait after try number ``attempt`` (from 1) failed; None: do not try again."""
        if attempt > len(self.waits):
            return None
        return self.waits[attempt - 1] * random.uniform(*self.jitter)


STEP = Backoff((2.0, 8.0, 30.0))
"""A step of a run: survives half a minute without a Chef server, even if it fails at once."""

REQUEST = Backoff((0.2, 0.4, 0.8, 1.6, 3.2), jitter=(0.5, 1.0))
"""A request to a Chef server."""

QUESTION = Backoff((0.05, 0.1, 0.2, 0.4, 0.8, 1.6), jitter=(0.5, 1.0))
"""A question to a program of this machine about things that others may be changing."""

TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504})
"""HTTP statuses after which the same request may succeed."""


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed if it is tried again."""
    return isinstance(error, StackcookError) and error.transient


def call(
    work: Callable[[], T],
    backoff: Backoff,
    *,
    again: Callable[[Exception], bool] = is_transient,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Call ``work`` until it succeeds; raises its last error once ``backoff`` is used up.

    Only errors for which ``again`` is true are retried.
    """
    attempt = 1
    while True:
        try:
            return work()
        except Exception as error:
            wait = backoff.after(attempt)
            if wait is None or not again(error):
                raise
            _log.info("try %d failed, next in %.1f s: %s", attempt, wait, error)
        sleep(wait)
        attempt += 1


_TRANSIENT_LINES = (
    # another program uses apt or dpkg, or did a moment ago
    r"Could not get lock /var/(lib|cache)/",
    r"Unable to (acquire|lock) (the )?(dpkg|apt|directory /var/|the administration directory)",
    r"dpkg frontend lock (is|was) locked|is another process using it\?",
    r"dpkg was interrupted, you must manually run",
    # the package mirror, or the network to it
    r"Temporary failure (resolving|in name resolution)",
    r"(Failed to fetch|Cannot initiate the connection) .*"
    r"(Connection (timed out|failed|reset|refused)|timed out|unreachable)",
    r"Could not connect to \S+:\d+ \(",
    r"Hash Sum mismatch|File has unexpected size|Mirror sync in progress",
    r"(Failed to fetch|bad response) .* (429|5\d\d)\b",
    r"Error reading from server|Remote end closed connection|Undetermined Error",
    # gem
    r"(Unable to download data from|could not fetch|Gem::RemoteFetcher::FetchError)"
    r".*(timed? ?out|[Tt]imeout|[Rr]eset|refused|resolv|too many connection|EOFError|SSL_read)",
    r"Net::(Open|Read)Timeout",
    # the Chef server, seen by chef-client
    r"(Connection refused|Connection reset by peer|Timeout) connecting to https?://",
    r"Error connecting to https?://\S+ - .*"
    r"(Connection (refused|reset|timed out)|unreachable|execution expired|Temporary failure)",
    r"Net::HTTPFatalError: 50[0234]\b|The Chef Infra Server is temporarily unavailable",
    r"Received an EOF on transport socket",
    # SSH, as knife reports it
    r"Net::SSH::(ConnectionTimeout|Disconnect)|closed by remote host",
    r"Train::\S+.*(Connection (refused|reset|timed out)|timeout|not responding|banner)",
)
_PERMANENT = re.compile(
    r"No space left on device|HTTPClientException|fingerprint|Authentication failed|"
    r"Permission denied|command not found"
)
_TRANSIENT = re.compile("|".join(f"(?:{pattern})" for pattern in _TRANSIENT_LINES))


def output_is_transient(lines: Iterable[str]) -> bool:
    """Whether the ``lines``, which a failed program printed, show a transient cause.

    A wrong key, a refusal (401, 403), a missing package, a full disk and errors of a recipe itself
    are permanent: connections that a recipe itself makes are not retried.
    """
    printed = tuple(lines)
    return not any(map(_PERMANENT.search, printed)) and any(map(_TRANSIENT.search, printed))
