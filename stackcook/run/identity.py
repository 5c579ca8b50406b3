"""Which deploy a run belongs to: one that did not end well is gone on with, not begun again."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from stackcook.errors import ExitCode

LASTS = 24 * 3600.0
"""Seconds after which what a deploy has converged counts no more."""

_AT_AN_END = (ExitCode.DONE, ExitCode.VERIFY)
"""After these every node was converged: the next deploy looks at all of them anew."""


@dataclass(frozen=True)
class LastDeploy:
    """The last deploy, as the state has it; ``exit_code`` is None where it was killed.

    ``done`` are the nodes that it has converged, in however many runs, ``failed`` those whose last
    step in any of these failed, or was broken off; ``at`` is when its last run began, in seconds
    since the epoch.
    """

    id: str
    digest: str
    at: float
    exit_code: int | None
    done: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()

    def to_go_on(self, digest: str, now: float) -> LastDeploy | None:
        """Itself, if it isn't at its end, nor old, and its inputs are still the same."""
        fresh = 0 <= now - self.at < LASTS
        return (
            self if fresh and self.digest == digest and self.exit_code not in _AT_AN_END else None
        )


def new_id(kind: str, now: float) -> str:
    """``d-20261122T235501Z-1f0c``: when it began, and what tells it from others of that second."""
    return f"{kind}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{os.urandom(2).hex()}"
