"""One step: told to the listeners when it begins, goes on and ends, whatever becomes of it."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from stackcook.bootstrap.base import ConvergeResult
from stackcook.bootstrap.output import ChefOutput
from stackcook.deploy.events import (
    Event,
    Listener,
    StepDone,
    StepFailed,
    StepProgress,
    StepRetried,
    StepStarted,
)
from stackcook.deploy.logs import NodeLog, path_of
from stackcook.deploy.walk import Aside
from stackcook.errors import ExitCode, NodeError, StackcookError, Transient

T = TypeVar("T")
Say = Callable[[str], None]
"""Takes a line of progress."""

BACKOFF = (2.0, 8.0, 30.0)
"""Seconds before the second, third and fourth try, at most."""


class Halt(Exception):
    """A step for all nodes failed, and was told to the listeners: the run ends with ``code``."""

    def __init__(self, code: ExitCode) -> None:
        self.code = code
        super().__init__(code.name)


class Steps:
    """Carries out steps. ``state`` is where logs are; ``clock`` gives seconds since the epoch.

    ``backoff`` are the most seconds before each further try of what may pass.
    """

    def __init__(
        self,
        listeners: tuple[Listener, ...],
        state: Path,
        clock: Callable[[], float] = time.time,
        backoff: Sequence[float] = BACKOFF,
    ) -> None:
        self.clock = clock
        self._listeners = listeners
        self._state = state
        self._lock = threading.Lock()
        self._muted = False
        self._backoff = backoff
        self.stopping = threading.Event()
        """Set once nothing new is to begin."""

    def emit(self, event: Event) -> None:
        """Tell the listeners, one event at a time; nothing once muted."""
        with self._lock:
            for listener in () if self._muted else self._listeners:
                listener(event)

    def mute(self, muted: bool) -> None:
        """While a run is being interrupted, what its steps die of is no news."""
        self._muted = muted

    def for_all(self, step: str, work: Callable[[Say], str], stage: str = "") -> None:
        """A step for all nodes; ``work`` returns what it did. Raises Halt if it fails."""
        started = self._start(step, "", stage)
        try:
            text = work(lambda line: self.emit(StepProgress(step, self.clock(), line)))
        except StackcookError as error:
            self._fail(step, started, error)
            raise Halt(error.exit_code) from error
        now = self.clock()
        self.emit(StepDone(step, now, now - started, text=text))

    def on_node(
        self,
        step: str,
        node: str,
        stage: str,
        work: Callable[[Say], T],
        aside: Aside = nullcontext,
    ) -> T | None:
        """A step on one node, its lines logged; None if it failed. Raises nothing of its own.

        What is Transient is tried again, as long as the run goes on; ``aside`` is entered while it
        waits for that.
        """
        waits = iter(self._backoff)
        for attempt in itertools.count(1):
            started = self._start(step, node, stage, attempt)
            try:
                with NodeLog(self._state, node, step) as log:
                    result = work(self._reader(step, node, log))
            except Exception as raised:  # one node's trouble, even a bug of ours, isn't the others'
                error = raised if isinstance(raised, StackcookError) else _bug(node, raised)
                wait = next(waits, None)
                if wait is None or not isinstance(error, Transient) or self.stopping.is_set():
                    self._fail(step, started, error, node)
                    return None
                self._retry(step, node, error, wait * random.uniform(0.5, 1.0), aside)
                if self.stopping.is_set():  # nothing new begins, not even another try
                    self._fail(step, self._start(step, node, stage, attempt + 1), error, node)
                    return None
            else:
                self._done(step, started, node, result)
                return result
        return None  # never: counting has no end

    def _retry(
        self, step: str, node: str, error: StackcookError, wait: float, aside: Aside
    ) -> None:
        self.emit(StepRetried(step, self.clock(), node, str(error), wait))
        with aside():
            self.stopping.wait(wait)  # jitter is in it: the others may be trying again as well

    def _done(self, step: str, started: float, node: str, result: object) -> None:
        now = self.clock()
        done = StepDone(step, now, now - started, node)
        if isinstance(result, ConvergeResult):
            text = f"{result.updated}/{result.total} resources updated"
            counts = {"updated": result.updated, "total": result.total}
            done = replace(done, text=text, resources=result.resources, **counts)
        elif isinstance(result, str):
            done = replace(done, text=result)
        self.emit(done)

    def failed(self, step: str, error: StackcookError, node: str = "") -> None:
        """A finding of a step that is told in several parts."""
        self._fail(step, self._start(step, node, ""), error, node)

    def _start(self, step: str, node: str, stage: str, attempt: int = 1) -> float:
        now = self.clock()
        self.emit(StepStarted(step, now, node, stage, attempt))
        return now

    def _fail(self, step: str, started: float, error: StackcookError, node: str = "") -> None:
        now = self.clock()
        log = str(path_of(self._state, node)) if node else ""
        self.emit(StepFailed(step, now, now - started, str(error), node, log))

    def _reader(self, step: str, node: str, log: Say) -> Say:
        """What takes each line of a node: the log, and the live line where it means something."""
        output = ChefOutput()

        def read(line: str) -> None:
            log(line)
            if text := output.feed(line):
                counts = output.resources, output.updated
                self.emit(StepProgress(step, self.clock(), text, node, *counts))

        return read


def _bug(node: str, error: Exception) -> NodeError:
    what = f"a bug of ours: {type(error).__name__}: {error}"
    return NodeError(what, where=node, remedy="report it")
