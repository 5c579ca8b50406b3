"""What the probes of an API have shown: availability, gaps and latency. Pure.

Times are seconds on any one clock that never goes back.
"""

from __future__ import annotations

import math
from array import array
from bisect import insort
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Sample:
    """One probe: ``requests`` are the seconds that each successful request took.

    ``error`` says which request failed and why; empty if none did.
    """

    began: float
    ended: float
    requests: tuple[float, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Gap:
    """From the end of the last successful probe before a failure to that of the next one.

    At the beginning, from the first probe on; at the end, until the last one. ``error`` is the
    first failure.
    """

    began: float
    ended: float
    error: str

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended - self.began


class Samples:
    """All probes of an API, added in their order; memory grows by 8 bytes for each request."""

    def __init__(self) -> None:
        self.probes = 0
        self.failed = 0
        self.failing = False
        """Whether the last probe has failed."""
        self.gaps: list[Gap] = []
        self.slowest = 0.0
        """Seconds that the slowest request of a successful probe took."""
        self.last_error = ""
        self.requesting = 0.0
        """Seconds that all successful requests took."""
        self._latencies = array("d")
        self._first = self._good = self._available = 0.0
        self._last = Sample(0.0, 0.0)

    def add(self, sample: Sample) -> None:
        """Take the next probe into account."""
        if self.probes == 0:
            self._first = self._good = sample.began
        elif not self.failing:
            self._available += sample.began - self._last.began
        for seconds in sample.requests:
            insort(self._latencies, seconds)
        self.requesting += sum(sample.requests)
        if self.failing:
            self.gaps[-1] = replace(self.gaps[-1], ended=sample.ended)
        elif sample.error:
            self.gaps.append(Gap(self._good, sample.ended, sample.error))
        if sample.error:
            self.failed += 1
            self.last_error = sample.error
        else:
            self._good = sample.ended
            self.slowest = max([self.slowest, *sample.requests])
        self.probes += 1
        self.failing = bool(sample.error)
        self._last = sample

    @property
    def availability(self) -> float | None:
        """The share of the time, 0 to 1; None before the first probe.

        A probe counts for the time until the next one begins, the last one until its end.
        """
        if self.probes == 0:
            return None
        whole = self._last.ended - self._first
        last = 0.0 if self.failing else self._last.ended - self._last.began
        return (self._available + last) / whole if whole else float(not self.failing)

    @property
    def longest_gap(self) -> float:
        """The longest time in seconds that the API's clients had to wait; 0 before the first probe.

        A request that hangs and succeeds in the end is such a time, too. The pause before the next
        probe does not count: no client waits then.
        """
        return max([self.slowest, *(gap.seconds for gap in self.gaps)])

    def latency(self, share: float) -> float | None:
        """The seconds within which this share of the successful requests ended; None without any.

        0.5 is the median, 0.99 is p99.
        """
        if not self._latencies:
            return None
        return self._latencies[max(1, math.ceil(share * len(self._latencies))) - 1]
