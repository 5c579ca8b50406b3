"""How long a run will take, as far as an earlier one with the same steps tells."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from stackcook.cache import cache
from stackcook.errors import ExitCode
from stackcook.files import DAMAGE, keep
from stackcook.run import history
from stackcook.run.events import (
    Event,
    NodeSkipped,
    PlanChanged,
    RunStarted,
    StepDone,
    StepFailed,
    StepStarted,
)
from stackcook.run.history import Run
from stackcook.run.plan import Key

WITHIN = 5
"""How many earlier runs are read."""

REMEMBERED = ("deploy", "converge")
"""The commands of which :func:`remember` keeps the runs."""


@dataclass(frozen=True)
class Past:
    """A run that succeeded: of each step, when it began and ended, in seconds since its start."""

    seconds: float
    steps: dict[Key, tuple[float, float]]


def past_runs(directory: Path, command: str) -> tuple[Past, ...]:
    """The last runs of ``command`` that succeeded, the latest first, also of a destroyed cloud."""
    runs = (run for run in reversed(history.runs(directory)) if run.command == command)
    succeeded = (run for run in runs if run.exit_code == ExitCode.DONE)
    here = (_past(directory, run) for run in succeeded)
    return tuple(islice(chain(here, _remembered(directory, command)), WITHIN))


def remember(directory: Path) -> None:
    """Keep the times of the runs of a deployment whose record is about to be deleted.

    The next deploy from the same directory can then say how much time is left.
    """
    runs = {
        command: [
            [past.seconds, [[*key, *times] for key, times in past.steps.items()]] for past in found
        ]
        for command in REMEMBERED
        if (found := past_runs(directory, command))
    }
    if runs:
        keep(_file(directory), json.dumps(runs))


def _remembered(directory: Path, command: str) -> Iterator[Past]:
    try:
        runs = json.loads(_file(directory).read_text()).get(command, [])
        yield from [
            Past(float(seconds), {(n, step): (float(a), float(b)) for n, step, a, b in steps})
            for seconds, steps in runs
        ]
    except DAMAGE:  # a cache
        return


def _file(directory: Path) -> Path:
    digest = hashlib.sha256(str(directory.absolute()).encode()).hexdigest()
    return cache() / f"durations-{digest[:16]}.json"


def _past(directory: Path, run: Run) -> Past:
    steps: dict[Key, tuple[float, float]] = {}
    for step in history.steps(directory, run.id):  # several rows for one that was retried
        key = step.node or step.stage, step.step
        began, _ = steps.get(key, (step.started - run.started, 0.0))
        steps[key] = began, (step.ended or step.started) - run.started
    return Past((run.ended or run.started) - run.started, steps)


class Forecast:
    """A listener; :meth:`left` says how long the rest of the run takes.

    It compares the run with the latest one of ``past`` that had the same steps: a first deploy says
    nothing about the second one, which installs nothing.
    """

    def __init__(self, past: Iterable[Past] = ()) -> None:
        self._past = tuple(past)
        self._known = False
        self._steps: set[Key] = set()
        self._done: set[Key] = set()
        self._running: dict[Key, float] = {}
        self._model: Past | None = None
        self._next: list[tuple[float, Key]] = []
        """The steps of the model, by when they began; those that have begun are removed lazily."""
        self._stale = True

    def __call__(self, event: Event) -> None:
        if not self._past:
            return
        if isinstance(event, RunStarted):
            self._known = bool(event.steps)
            self._steps = set(event.steps)
        elif isinstance(event, PlanChanged):
            self._steps -= {(event.node, name) for name in event.before}
            self._steps |= {(event.node, name) for name in event.after}
            self._stale = True
        elif isinstance(event, StepStarted):
            self._running.setdefault(event.key, event.at)
        elif isinstance(event, StepDone):
            self._running.pop(event.key, None)
            self._done.add(event.key)
        elif isinstance(event, (StepFailed, NodeSkipped)):
            self._known = False

    def left(self, now: float) -> float | None:
        """Seconds until the run ends, at ``now``, in seconds since the epoch; None if unknown."""
        if not self._known:
            return None
        if self._stale:
            self._stale = False
            self._model = next((p for p in self._past if p.steps.keys() == self._steps), None)
            steps = self._model.steps.items() if self._model else ()
            self._next = sorted((began, key) for key, (began, _) in steps)
        model = self._model
        if model is None:
            return None
        while self._next and (self._next[0][1] in self._running or self._next[0][1] in self._done):
            heapq.heappop(self._next)
        # Each step that has not ended is as far from the end as it was then; the farthest counts.
        places = [self._next[0][0]] if self._next else []
        for key, since in self._running.items():
            if key in model.steps:
                began, ended = model.steps[key]
                places.append(min(began + now - since, ended))
        return model.seconds - min(places) if places else None
