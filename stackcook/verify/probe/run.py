"""Probes all APIs side by side, each in a thread and at its own times."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

from stackcook.command import Say
from stackcook.errors import VerifyError
from stackcook.verify.probe.apis import Api
from stackcook.verify.probe.client import Client
from stackcook.verify.probe.samples import Sample, Samples

SLICE = 0.5
"""Seconds after which Ctrl-C is noticed at the latest."""


@dataclass(frozen=True)
class Probed:
    """An API, and what its probes have shown so far; ``name`` is for people."""

    api: Api
    name: str
    samples: Samples = field(default_factory=Samples)


@dataclass(frozen=True)
class Report:
    """The result; ``seconds`` is how long it took, ``began`` its beginning since the epoch.

    The times of samples are those of a clock that showed ``zero`` then. ``max_gap`` is the longest
    gap that is allowed, in seconds; 0: none may fail. ``notes`` say what could not be deleted.
    """

    probed: tuple[Probed, ...]
    began: float
    zero: float
    seconds: float
    max_gap: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether APIs were probed, and each of them is good."""
        return bool(self.probed) and all(self.is_good(each) for each in self.probed)

    def is_good(self, each: Probed) -> bool:
        """Whether an API was probed, without a failure or a gap that was too long."""
        samples = each.samples
        allowed = samples.longest_gap <= self.max_gap if self.max_gap else not samples.failed
        return samples.probes > 0 and allowed

    def at(self, moment: float) -> float:
        """The time of a sample as seconds since the epoch."""
        return self.began + moment - self.zero


class Probing:
    """Probes each of these APIs every ``interval`` seconds; ``probed`` is what this has shown."""

    def __init__(self, apis: Iterable[Api], interval: float) -> None:
        apis = tuple(apis)
        several = len({api.cloud for api in apis}) > 1
        self.probed = tuple(
            Probed(api, f"{api.cloud} {api.name}" if several else api.name) for api in apis
        )
        self._interval = interval
        self._stop = Event()
        self._lock = Lock()
        self._notes: list[str] = []
        self._bugs: list[BaseException] = []

    def run(self, duration: float | None, say: Say, max_gap: float = 0.0) -> Report:
        """Probe for ``duration`` seconds, None: until Ctrl-C; that is not an error.

        ``say`` gets a line when an API begins to fail, and when it responds again. A second Ctrl-C
        raises KeyboardInterrupt, without waiting for the probes that are under way.
        """
        began, zero = time.time(), time.monotonic()
        threads = []
        for number, probed in enumerate(self.probed):
            first = zero + self._interval * number / len(self.probed)  # not all at the same moment
            threads.append(Thread(target=self._thread, args=(probed, first, say), daemon=True))
            threads[-1].start()
        try:
            # In slices: a signal that another thread receives does not wake the main thread.
            while (left := zero + (duration or math.inf) - time.monotonic()) > 0:
                if self._stop.wait(min(left, SLICE)):
                    break
        except KeyboardInterrupt:
            pass
        self._stop.set()
        for thread in threads:
            thread.join()
        for bug in self._bugs:
            raise bug
        seconds = time.monotonic() - zero
        return Report(self.probed, began, zero, seconds, max_gap, tuple(self._notes))

    def _thread(self, probed: Probed, first: float, say: Say) -> None:
        number = 0
        try:
            while not self._stop.wait(max(0.0, first + number * self._interval - time.monotonic())):
                sample = probe(probed.api)
                with self._lock:
                    if line := changed(probed, sample):
                        say(f"{time.strftime('%H:%M:%S')} {line}")
                number = following(number, time.monotonic() - first, self._interval)
            if number and (note := left_behind(probed)):
                self._notes.append(note)
        except BaseException as bug:  # the main thread raises it
            self._bugs.append(bug)
            self._stop.set()


def following(number: int, elapsed: float, interval: float) -> int:
    """The number of the next probe; probe n is due at n times the interval.

    After one that took longer, the next is due at once, and those that were missed are left out.
    """
    return max(number + 1, int(elapsed // interval))


def probe(api: Api) -> Sample:
    """Probe once."""
    api.client.seconds = []
    began = time.monotonic()
    error = _failure(api.service.probe, api)
    return Sample(began, time.monotonic(), tuple(api.client.seconds), error)


def left_behind(probed: Probed) -> str:
    """Delete what the probes have left; if that fails, what to tell the user."""
    why = _failure(probed.api.service.clean, probed.api)
    what = "cannot delete what probes may have left; the next `stackcook probe` does"
    return why and f"{probed.name}: {what} ({why})"


def _failure(work: Callable[[Client], None], api: Api) -> str:
    """Why it failed; empty if it did not."""
    try:
        work(api.client)
    except VerifyError as error:
        return error.what
    except (LookupError, TypeError) as error:
        return f"{api.url} sent an unexpected answer ({type(error).__name__}: {error})"
    return ""


def changed(probed: Probed, sample: Sample) -> str:
    """Add the sample; a line if the API begins to fail or responds again, else ``""``."""
    samples = probed.samples
    failing = samples.failing
    samples.add(sample)
    if samples.failing == failing:
        return ""
    if sample.error:
        return f"{probed.name} failed: {sample.error}"
    return f"{probed.name} responds again after {samples.gaps[-1].seconds:.1f} s"
