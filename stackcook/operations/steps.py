"""One step: told to the listeners when it begins, goes on and ends, whatever becomes of it."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from stackcook.bootstrap.base import ConvergeResult
from stackcook.bootstrap.output import ChefOutput
from stackcook.run.events import (
    Event,
    Listener,
    StepDone,
    StepFailed,
    StepProgress,
    StepRetried,
    StepStarted,
)
from stackcook.run.logs import NodeLog, path_of
from stackcook.operations.walk import Aside
from stackcook.errors import ExitCode, NodeError, StackcookError

T = TypeVar("T")
Say = Callable[[str], None]
"""Takes a line of progress."""

BACKOFF = (2.0, 8.0, 30.0)
"""Seconds before the second, third and fourth try, at least: half a minute without a Chef server is
to be outlived, by steps that fail at once, too."""

JITTER = 1.5
"""What they may be multiplied by."""


class Halt(Exception):
    """A step for all nodes failed, and was told to the listeners: the run ends with ``code``."""

    def __init__(self, code: ExitCode) -> None:
        self.code = code
        super().__init__(code.name)


@dataclass(frozen=True)
class _Try:
    """One try of a step, which began at ``started``."""

    step: str
    node: str
    stage: str
    attempt: int
    started: float


class Steps:
    """Carries out steps. ``state`` is where logs are; ``clock`` gives seconds since the epoch.

    ``backoff`` are the least seconds before each further try of what may pass.
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

    def for_all(
        self, step: str, work: Callable[[Say], str], stage: str = "", *, again: bool = False
    ) -> None:
        """A step for all nodes; ``work`` returns what it did. Raises Halt if it fails.

        With ``again`` it is tried again as a node's steps are.
        """
        waits = iter(self._backoff if again else ())
        for attempt in itertools.count(1):
            started = self._start(step, "", stage, attempt)
            try:
                text = work(lambda line: self.emit(StepProgress(step, self.clock(), line)))
            except StackcookError as error:
                if not self._once_more(_Try(step, "", stage, attempt, started), error, waits):
                    raise Halt(error.exit_code) from error
            else:
                now = self.clock()
                self.emit(StepDone(step, now, now - started, text=text))
                return

    def on_node(
        self,
        step: str,
        node: str,
        stage: str,
        work: Callable[[Say], T],
        aside: Aside = nullcontext,
        tried: int = 0,
    ) -> T | None:
        """A step on one node, its lines logged; None if it failed. Raises nothing of its own.

        What may pass by itself is tried again, as long as the run goes on; ``aside`` is entered
        while it waits for that, and may raise something instead. It was ``tried`` so often before.
        """
        waits = iter(self._backoff[tried:])
        for attempt in itertools.count(1 + tried):
            started = self._start(step, node, stage, attempt)
            try:
                with NodeLog(self._state, node, step) as log:
                    result = work(self._reader(step, node, log))
            except Exception as raised:  # one node's trouble, even a bug of ours, isn't the others'
                error = raised if isinstance(raised, StackcookError) else _bug(node, raised)
                failed = _Try(step, node, stage, attempt, started)
                if not self._once_more(failed, error, waits, aside):
                    return None
            else:
                self._done(step, started, node, result)
                return result
        return None  # never: counting has no end

    def _once_more(
        self,
        tried: _Try,
        error: StackcookError,
        waits: Iterator[float],
        aside: Aside = nullcontext,
    ) -> bool:
        """A try has failed: wait, and say whether there is to be another; else it was told."""
        wait = next(waits, None)
        if wait is not None and error.transient and not self.stopping.is_set():
            wait *= random.uniform(1.0, JITTER)  # the others may be trying again as well
            self.emit(StepRetried(tried.step, self.clock(), tried.node, str(error), wait))
            with aside():
                self.stopping.wait(wait)
            if not self.stopping.is_set():
                return True
            # Nothing new begins, not even another try.
            started = self._start(tried.step, tried.node, tried.stage, tried.attempt + 1)
            tried = replace(tried, started=started)
        self._fail(tried.step, tried.started, error, tried.node)
        return False

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
