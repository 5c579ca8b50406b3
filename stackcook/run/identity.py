"""Which deploy a run belongs to: one that did not finish is resumed, not begun again."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from stackcook.errors import ExitCode

MOST_AGE = 24 * 3600.0
"""Seconds after which a deploy is no longer resumed."""

_FINISHED = (ExitCode.DONE, ExitCode.VERIFY)
"""After these every node was converged: the next deploy converges all of them again."""


@dataclass(frozen=True)
class LastDeploy:
    """The last deploy, as the state has it; ``exit_code`` is None where it was killed.

    ``done`` are the nodes that it has converged, in however many runs, ``failed`` those whose last
    step in any of these failed, or was interrupted; ``at`` is when its last run began, in seconds
    since the epoch.
    """

    id: str
    digest: str
    at: float
    exit_code: int | None
    done: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()

    def resumable(self, digest: str, now: float) -> LastDeploy | None:
        """Itself, if it is neither finished nor old, and its inputs are still the same."""
        fresh = 0 <= now - self.at < MOST_AGE
        unfinished = self.exit_code not in _FINISHED
        return self if fresh and unfinished and self.digest == digest else None


def new_id(kind: str, now: float) -> str:
    """``d-20261122T235501Z-1f0c``: when it began, and four random digits."""
    return f"{kind}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{os.urandom(2).hex()}"
