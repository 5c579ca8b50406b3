"""Carries out a plan: each step on a thread of a pool, with events for its start and its end."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from stackcook.bootstrap.base import ConvergeResult
from stackcook.bootstrap.preflight import Inspected
from stackcook.bootstrap.output import ChefOutput
from stackcook.command import Say
from stackcook.errors import ExitCode, NodeError, StackcookError
from stackcook.files import fault
from stackcook.retry import STEP, Backoff
from stackcook.run.budget import Budget
from stackcook.run.events import (
    Event,
    Findings,
    Listener,
    NodeSkipped,
    Notice,
    PlanChanged,
    StepDone,
    StepFailed,
    StepProgress,
    StepRetried,
    StepStarted,
)
from stackcook.run.logs import NodeLog, path_of
from stackcook.run.plan import Plan, Step
from stackcook.run.schedule import Schedule

log = logging.getLogger(__name__)

_LONGEST_WAIT = 0.5
"""Seconds after which the loop looks for Ctrl-C: a signal does not end ``wait``."""


@dataclass(frozen=True)
class NewPlan:
    """What inspecting a node has found, where the plan assumed something else.

    ``steps`` take the place of the node's steps that have not begun; ``why`` is for people.
    """

    text: str
    why: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Task:
    """A step while it runs. ``failed`` are the nodes that have failed so far.

    ``say`` takes a line of progress; ``report`` takes one of several failures of this step, and the
    node that it is about, or ""; ``found`` takes what preflight knows of all nodes.
    """

    step: Step
    attempt: int
    failed: tuple[str, ...]
    say: Say
    report: Callable[[StackcookError, str], None]
    found: Callable[[Iterable[Inspected]], None]


Action = Callable[[Task], "str | ConvergeResult | NewPlan"]
"""Does what a step is for; returns what it did in a few words. Raises StackcookError."""


@dataclass(frozen=True)
class _Ended:
    """The result of a task; ``began`` and ``at``, its end, are seconds since the epoch.

    ``bug`` is the unexpected exception of a step for the whole deployment.
    """

    began: float
    at: float
    result: str | ConvergeResult | NewPlan = ""
    error: StackcookError | None = None
    bug: Exception | None = None


def default_parallel(nodes: int) -> int:
    """How many tasks at once unless the user says: what this machine's cores can feed."""
    return max(2, min(nodes, 8 * (os.cpu_count() or 1)))


class Executor:
    """Carries out one plan. ``actions`` maps the name of each step to its action.

    ``state`` is the directory with the nodes' logs; ``parallel`` is how many tasks run at once, 0:
    as many as suits this machine; ``clock`` gives seconds since the epoch. ``end`` ends what runs
    on nodes: it is called at a second Ctrl-C.
    """

    def __init__(
        self,
        plan: Plan,
        actions: Mapping[str, Action],
        listeners: tuple[Listener, ...],
        state: Path,
        *,
        budget: Budget | None = None,
        parallel: int = 0,
        clock: Callable[[], float] = time.time,
        backoff: Backoff = STEP,
        end: Callable[[], None] = lambda: None,
    ) -> None:
        self.clock = clock
        self._plan = plan
        self._actions = actions
        self._listeners = listeners
        self._state = state
        self._end = end
        self._schedule = Schedule(plan, budget, backoff)
        self._workers = parallel or default_parallel(len(plan.nodes))
        self._pool = ThreadPoolExecutor(max_workers=self._workers)
        self._running: dict[Future[_Ended], Step] = {}
        self._lock = threading.Lock()
        self._muted = False
        self._interrupts = 0
        self._handled = 0
        """How many interrupts have been handled."""

    @property
    def zones(self) -> Mapping[str, str]:
        """Each zone, and why it failed; empty if it did not."""
        return self._schedule.zones

    def emit(self, event: Event) -> None:
        """Pass the event to the listeners, one event at a time."""
        with self._lock:
            for listener in () if self._muted else self._listeners:
                listener(event)

    def run(self) -> ExitCode:
        """Carry out the plan. Raises what a listener raises, once all that runs has ended.

        Ctrl-C lets no new step begin; a second one also ends what runs on nodes.
        """
        try:
            with self._counting_interrupts():
                self._loop()
        finally:
            self._muted = False
            # A second Ctrl-C does not wait for steps that are not on a node: they can't be ended.
            wait = not (self._interrupts > 1 and self._running)
            self._pool.shutdown(wait=wait, cancel_futures=True)
        for node, stage, why in self._schedule.skipped():
            if node not in self._plan.done:
                self.emit(NodeSkipped(node, self.clock(), why, stage))
        return ExitCode.INTERRUPTED if self._interrupts else self._schedule.code

    def failed(
        self,
        step: str,
        error: StackcookError,
        node: str = "",
        *,
        stage: str = "",
        attempt: int = 1,
    ) -> None:
        """Emit the events of a failure that is not the result of a task."""
        now = self.clock()
        self.emit(StepStarted(step, now, node, stage, attempt))
        self._emit_failed(step, error, node, stage, now, now)

    def _loop(self) -> None:
        """Until all has ended; an exception lets no further step begin, and is raised then."""
        error: Exception | None = None
        more = True
        while more:
            try:
                more = self._go_on()
            except Exception as raised:
                error = error or raised
                self._schedule.stop(f"internal error: {raised}", ExitCode.BUG)
        if error:
            raise error

    def _go_on(self) -> bool:
        """Begin what may begin, and wait for the next thing that ends; False once nothing is left.

        It may be called again after it has raised an exception.
        """
        schedule, running = self._schedule, self._running
        on_nodes = any(step.node for step in running.values())
        if self._interrupts > self._handled:
            self._handled = self._interrupts
            self._interrupt(on_nodes)
        if self._handled > 1 and not on_nodes:
            return False
        for each in schedule.abandoned():
            step = each.step
            again = each.attempt + 1
            self.failed(step.name, each.error, step.node, stage=step.stage, attempt=again)
        while len(running) < self._workers and (task := schedule.next(time.monotonic())):
            running[self._begin(task)] = task
        due = schedule.next_retry
        if not running and due is None:
            if not schedule.why and (left := schedule.left()):
                names = ", ".join(f"{step.node} {step.name}" for step in left[:5])
                raise RuntimeError(f"steps of the plan wait for each other: {names}")
            return False
        patience = _LONGEST_WAIT if due is None else max(0.0, due - time.monotonic())
        patience = min(patience, _LONGEST_WAIT)
        if running:
            ended, _ = wait(running, patience, return_when=FIRST_COMPLETED)
            for future in ended:
                self._take(running.pop(future), future.result())
        else:
            time.sleep(patience)
        return True

    def _begin(self, step: Step) -> Future[_Ended]:
        attempt = self._schedule.attempt(step)
        now = self.clock()
        self.emit(StepStarted(step.name, now, step.node, step.stage, attempt))
        output = ChefOutput()

        def say(line: str) -> None:
            if not step.node:
                self.emit(StepProgress(step.name, self.clock(), line, stage=step.stage))
            elif text := output.feed(line):
                counts = output.resources, output.updated
                self.emit(StepProgress(step.name, self.clock(), text, step.node, *counts))

        def report(error: StackcookError, node: str) -> None:
            self.failed(step.name, error, node, stage="" if node else step.stage)

        def found(nodes: Iterable[Inspected]) -> None:
            self.emit(Findings(self.clock(), tuple(nodes)))

        task = Task(step, attempt, tuple(self._schedule.failed), say, report, found)
        return self._pool.submit(self._carry_out, task, now)

    def _carry_out(self, task: Task, began: float) -> _Ended:
        """Run the step's action in a pool thread; an unexpected error fails only its own node."""
        step = task.step
        try:
            if not step.node:
                result = self._actions[step.name](task)
            else:
                with NodeLog(self._state, step.node, step.name) as written:
                    say = task.say

                    def both(line: str) -> None:
                        written(line)
                        say(line)

                    result = self._actions[step.name](replace(task, say=both))
        except StackcookError as error:
            return _Ended(began, self.clock(), error=error)
        except Exception as error:
            if expected := fault(error):
                return _Ended(began, self.clock(), error=expected)
            bug = None if step.node else error
            return _Ended(began, self.clock(), error=_internal(step.node, error), bug=bug)
        return _Ended(began, self.clock(), result)

    def _take(self, step: Step, ended: _Ended) -> None:
        """A step has ended. Raises what was unexpected, of a step for the whole deployment."""
        if ended.error is None:
            self._take_result(step, ended)
            return
        if ended.bug is None:
            wait = self._schedule.failure(step, ended.error, time.monotonic())
            if wait is not None:
                self._emit_retried(step, ended.at, str(ended.error), wait)
                return
        self._emit_failed(step.name, ended.error, step.node, step.stage, ended.began, ended.at)
        if ended.bug:
            raise ended.bug

    def _emit_retried(self, step: Step, at: float, cause: str, wait: float) -> None:
        name = ": ".join(filter(None, step.key))
        log.info("%s: retry %d in %.1f s: %s", name, self._schedule.attempt(step), wait, cause)
        self.emit(StepRetried(step.name, at, step.node, cause, wait, step.stage))

    def _take_result(self, step: Step, ended: _Ended) -> None:
        result = ended.result
        done = StepDone(step.name, ended.at, ended.at - ended.began, step.node, stage=step.stage)
        if isinstance(result, ConvergeResult):
            done = replace(
                done,
                text=f"{result.updated}/{result.total} resources updated",
                resources=result.resources,
                updated=result.updated,
                total=result.total,
            )
        else:
            done = replace(done, text=result.text if isinstance(result, NewPlan) else result)
        self.emit(done)
        if isinstance(result, NewPlan):
            before = tuple(each.name for each in self._schedule.replace(step, result.steps))
            after = tuple(each.name for each in result.steps)
            self.emit(PlanChanged(step.node, ended.at, result.why, before, after))
        self._schedule.done(step)

    def _interrupt(self, on_nodes: bool) -> None:
        self._schedule.stop("interrupted", ExitCode.INTERRUPTED)
        if self._handled == 1:
            text = "interrupted: waiting for running steps; press Ctrl-C again to stop them"
            self.emit(Notice(self.clock(), text))
            return
        self._muted = True  # the steps that are being stopped will fail; do not report that
        if on_nodes:
            self._end()

    def _emit_failed(
        self, step: str, error: StackcookError, node: str, stage: str, began: float, at: float
    ) -> None:
        path = str(path_of(self._state, node)) if node else ""
        self.emit(StepFailed(step, at, at - began, str(error), node, path, stage))

    @contextmanager
    def _counting_interrupts(self) -> Iterator[None]:
        """Count Ctrl-C instead of raising KeyboardInterrupt; only the main thread gets signals."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def count(*_: object) -> None:
            self._interrupts += 1

        before = signal.signal(signal.SIGINT, count)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def _internal(node: str, error: Exception) -> StackcookError:
    what = f"internal error: {type(error).__name__}: {error}"
    if not node:
        return StackcookError(what, remedy="report this bug with its traceback")
    return NodeError(
        what, where=node, remedy="report this bug with the traceback in the node's log"
    )
