"""Decides which step of a plan is next. Pure: the caller reports results and the time.

Of the steps that may begin, the first in the plan's order does: one worker takes the steps exactly
as the plan lists them. Each event costs as much with 10,000 nodes as with ten.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from stackcook.errors import ExitCode, StackcookError
from stackcook.retry import STEP, Backoff
from stackcook.run.budget import Budget, Verdict
from stackcook.run.plan import Key, Plan, Step

MOST_RETRIES = 64
"""Tasks waiting for a retry beyond which no further node begins: nothing may be going well, as
without a package mirror."""

_Order = tuple[int, int]
_LAST: _Order = (1 << 62, 0)


@dataclass(frozen=True)
class Abandoned:
    """A task that waited for a retry when the run was stopped."""

    step: Step
    attempt: int
    error: StackcookError


class Schedule:
    """The order of one run. Times are seconds of any clock. Not safe to share between threads.

    ``failed`` are the nodes that failed, in that order. ``zones`` says of each zone why some of its
    steps will not begin, empty while all may. Steps that are of no zone do not wait for a zone
    that has failed, as long as another one has not.
    """

    def __init__(self, plan: Plan, budget: Budget | None = None, backoff: Backoff = STEP) -> None:
        self.failed: dict[str, None] = {}
        self.zones = dict.fromkeys(plan.zones, "")
        self._why = ""
        self._code = ExitCode.DONE
        self._budget = budget or Budget()
        self._backoff = backoff
        self._stopped = False
        self._stopped_zones: set[str] = set()
        self._nodes: dict[str, dict[Key, Step]] = {}
        """The steps of each node that have not ended."""
        self._order: dict[Key, _Order] = {}
        self._missing: dict[Key, int] = {}
        """How many of the things that a step waits for are not there yet."""
        self._dependents: defaultdict[Key | str, dict[Key, None]] = defaultdict(dict)
        self._ready: list[tuple[_Order, Key]] = []
        self._waiting: dict[Key, Abandoned] = {}
        self._due: list[tuple[float, _Order, Key]] = []
        self._abandoned: list[Abandoned] = []
        self._attempts: defaultdict[Key, int] = defaultdict(int)
        self._changed: set[str] = set()
        """Nodes on which a step that changes something has begun."""
        self._blocked: set[Key] = set()
        self._fatal: set[str] = set()
        """Nodes whose failure no budget allows: what waits for them never begins."""
        self._impatient: dict[Key, set[Key]] = {}
        """Steps that do not wait for retries, and the steps before them that have not ended."""
        self._late: set[Key] = set()
        """Steps that nothing waits for any more: they are retried once nothing else is ready."""
        self._steps: dict[Key, Step] = {}
        for number, step in enumerate(plan.steps):
            self._enter(step, (number, 0))
        for step in plan.steps:
            self._connect(step)

    @property
    def code(self) -> ExitCode:
        """How the run ended: if some zones have failed, but not all, within the budget."""
        if self._code is not ExitCode.DONE:
            return self._code
        bad = self.failed or any(self.zones.values())
        return ExitCode.WITHIN_BUDGET if bad else ExitCode.DONE

    @property
    def why(self) -> str:
        """Why some steps will not begin; empty while all may."""
        return self._why or next(filter(None, self.zones.values()), "")

    @property
    def next_retry(self) -> float | None:
        """When the next task is to be tried again; None if none is waiting."""
        return self._due[0][0] if self._due else None

    def attempt(self, step: Step) -> int:
        """The attempt, from 1, of the step that :meth:`next` returned last."""
        return self._attempts[step.key]

    def next(self, now: float) -> Step | None:
        """The step that begins now; None until something ends or a retry is due, or for good."""
        if self._stopped:
            return None
        self._release_impatient()
        while self._due and self._due[0][0] <= now:
            _, order, key = heapq.heappop(self._due)
            del self._waiting[key]
            heapq.heappush(self._ready, (_LAST if key in self._late else order, key))
        while self._ready:
            _, key = self._ready[0]
            step = self._steps.get(key)
            if step is None or (key in self._blocked and not self._attempts[key]):
                heapq.heappop(self._ready)
                continue
            if step.node and step.changes:
                if len(self._waiting) >= MOST_RETRIES and step.node not in self._changed:
                    return None
                self._changed.add(step.node)
            heapq.heappop(self._ready)
            self._attempts[key] += 1
            return step
        return None

    def done(self, step: Step) -> None:
        """A step has succeeded."""
        self._forget(step)
        self._satisfy(step.key)
        if step.node and not self._nodes[step.node]:
            self._satisfy(step.node)

    def failure(self, step: Step, error: StackcookError, now: float) -> float | None:
        """A step has failed: in how many seconds it is retried, None if it is not."""
        attempt = self._attempts[step.key]
        wait = self._backoff.after(attempt) if step.retry and error.transient else None
        stopped = self._stopped or step.zone in self._stopped_zones
        if wait is not None and not stopped:
            self._waiting[step.key] = Abandoned(step, attempt, error)
            heapq.heappush(self._due, (now + wait, self._order[step.key], step.key))
            return wait
        if step.node:
            self._fail_node(step)
        else:
            self._forget(step)
            self._stop(step, f"{step.name} failed", error.exit_code)
        return None

    def replace(self, current: Step, steps: Iterable[Step]) -> tuple[Step, ...]:
        """The plan has changed: ``steps`` take the place of what follows ``current`` on its node.

        Call it while ``current`` is still running. Returns the steps that they replace. What waits
        for one of them that the new plan does not have need not wait any longer.
        """
        old = [step for key, step in self._nodes[current.node].items() if key != current.key]
        for step in old:
            self._forget(step)
            needs: tuple[Key | str, ...] = (*step.after, *step.after_nodes)
            for need in needs:
                self._dependents[need].pop(step.key, None)
        new = tuple(steps)
        first, last = self._order[current.key]
        for number, step in enumerate(new, last + 1):
            self._enter(step, (first, number))
        for step in new:
            self._connect(step)
        for step in old:
            if step.key not in self._steps:
                self._satisfy(step.key)
        return tuple(old)

    def stop(self, why: str, code: ExitCode) -> None:
        """Let no further step begin; tasks that wait for a retry have failed."""
        self._record(why, code)
        self._stopped = True
        self._abandon(self._waiting)
        self._due = []

    def abandoned(self) -> tuple[Abandoned, ...]:
        """The tasks that were waiting for a retry when the run was stopped; each is given once."""
        found, self._abandoned = tuple(self._abandoned), []
        return found

    def left(self) -> tuple[Step, ...]:
        """The steps that have not ended."""
        return tuple(self._steps.values())

    def skipped(self) -> tuple[tuple[str, str, str], ...]:
        """The nodes that were not finished and did not fail, each with its stage, and why."""
        left = (
            next(iter(steps.values()))
            for node, steps in self._nodes.items()
            if node and steps and node not in self.failed
        )
        return tuple((s.node, s.stage, self.zones.get(s.zone) or self.why) for s in left)

    def _stop(self, step: Step, why: str, code: ExitCode) -> None:
        """``step`` has failed: let no further step of its zone begin, or of all, if it has none."""
        if not self._note(step, why, code):
            self.stop(why, self._code)
            return
        zone = step.zone
        self._stopped_zones.add(zone)
        self._abandon([key for key, each in self._waiting.items() if each.step.zone == zone])
        self._satisfy(step.key)
        self._give_up([key for key, each in self._steps.items() if each.zone == zone])

    def _note(self, step: Step, why: str, code: ExitCode) -> bool:
        """``step`` has failed, and others will not begin; whether the other zones go on."""
        if step.zone:
            self.zones[step.zone] = self.zones[step.zone] or why
            if not all(self.zones.values()):
                return True
            code = ExitCode.NODES if len(self.zones) > 1 else code
        self._record(why, code)
        return False

    def _record(self, why: str, code: ExitCode) -> None:
        """The first reason counts."""
        self._why = self._why or why
        if self._code is ExitCode.DONE:
            self._code = code

    def _abandon(self, keys: Iterable[Key]) -> None:
        """These tasks, which wait for a retry, have failed."""
        for key in list(keys):
            each = self._waiting.pop(key)
            self._abandoned.append(each)
            self._forget(each.step)
            if each.step.node:
                self.failed[each.step.node] = None

    def _give_up(self, keys: Iterable[Key]) -> None:
        """Block these steps of a zone that has failed; those of no zone do not wait for them."""
        for key in keys:
            step = self._steps[key]
            self._blocked.add(key)
            self._satisfy(key)
            if step.node:
                self._satisfy(step.node)

    def _enter(self, step: Step, order: _Order) -> None:
        key = step.key
        self._steps[key] = step
        self._order[key] = order
        self._attempts.pop(key, None)
        self._nodes.setdefault(step.node, {})[key] = step

    def _connect(self, step: Step) -> None:
        """Note what the step waits for."""
        needs: list[Key | str] = [key for key in step.after if key in self._steps]
        needs += [node for node in step.after_nodes if self._nodes.get(node)]
        self._missing[step.key] = len(needs)
        for need in needs:
            self._dependents[need][step.key] = None
        if not step.waits_for_retries:
            self._impatient[step.key] = {need for need in needs if isinstance(need, tuple)}
        if not needs:
            heapq.heappush(self._ready, (self._order[step.key], step.key))
        if self._blocked.intersection(step.after) or self._fatal.intersection(step.after_nodes):
            self._blocked |= self._after([step.key])

    def _forget(self, step: Step) -> None:
        self._steps.pop(step.key, None)
        self._nodes[step.node].pop(step.key, None)

    def _satisfy(self, need: Key | str) -> None:
        """Decrease the number of unmet needs of each step that waits for ``need``."""
        for key in self._dependents.pop(need, ()):
            if isinstance(need, tuple) and key in self._impatient:
                self._impatient[key].discard(need)
            self._missing[key] -= 1
            if not self._missing[key] and key in self._steps:
                self._impatient.pop(key, None)
                heapq.heappush(self._ready, (self._order[key], key))

    def _release_impatient(self) -> None:
        """Let steps begin that wait only for nodes which are being retried and may fail."""
        for key, needs in tuple(self._impatient.items()):
            if not 0 < len(needs) == self._missing[key] <= len(self._waiting):
                continue
            nodes = {node for node, _ in needs}
            retried = {node for node, _ in self._waiting}
            if nodes <= retried and self._budget.bears(nodes):
                del self._impatient[key]
                self._missing[key] = 0
                heapq.heappush(self._ready, (self._order[key], key))
                self._late |= needs
                for need in needs:
                    self._dependents[need].pop(key, None)

    def _fail_node(self, step: Step) -> None:
        node = step.node
        self.failed[node] = None
        verdict, why = self._budget.spend(node)
        left = list(self._nodes[node].values())
        for each in left:
            self._forget(each)
        needs: list[Key | str] = [*(each.key for each in left), node]
        if verdict is Verdict.CONTINUE:
            for need in needs:
                self._satisfy(need)
            return
        self._fatal.add(node)
        others = self._note(step, why, ExitCode.NODES)
        waiting = [key for need in needs for key in self._dependents[need]]
        goes_on = any(self._despite_failures(key) for key in waiting)
        if verdict is Verdict.STOP and not goes_on:
            self._stop(step, why, ExitCode.NODES)
            return
        if others:
            self._give_up(self._after(waiting, step.zone))
        else:
            self._blocked |= self._after(waiting)
        for need in needs:
            self._satisfy(need)  # of what waited, only steps that are not blocked begin

    def _despite_failures(self, key: Key) -> bool:
        return key in self._steps and self._steps[key].despite_failures

    def _after(self, keys: Iterable[Key], zone: str = "") -> set[Key]:
        """Of these steps, and of what waits for them, those that will never begin.

        A node that can't be finished is not changed any further, but it is still looked at. A step
        that begins despite failures does begin, but what waits for it does not. With a ``zone``,
        only its steps are meant.
        """
        seen: set[Key] = set()
        todo: list[Key] = []

        def add(more: Iterable[Key]) -> None:
            for key in more:
                step = None if key in seen or key in self._blocked else self._steps.get(key)
                if step and zone in ("", step.zone):
                    seen.add(key)
                    todo.append(key)

        add(keys)
        while todo:
            step = self._steps[todo.pop()]
            add(self._dependents[step.key])
            if step.node:
                add(self._dependents[step.node])
                add(key for key, each in self._nodes[step.node].items() if each.changes)
        return {key for key in seen if not self._despite_failures(key)}
