"""Which node's turn it is: pure, and of constant cost an event, so that 10,000 nodes are no matter.

Every node first does what needs no other node (*ahead*), earlier stages first. A stage converges
once its gate is open: when all nodes of the stages before it have ended, and answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from stackcook.run.budget import Budget, Verdict
from stackcook.run.plan import StagePlan


class Part(Enum):
    """What a turn is for."""

    AHEAD = "ahead"
    GATE = "gate"
    CONVERGE = "converge"


@dataclass(frozen=True)
class Turn:
    """Something that may begin now: a part of one node, or (``node`` empty) a stage's gate."""

    part: Part
    stage: int
    node: str = ""


class Schedule:
    """The order of one run; tell it what has ended, and it says what may begin.

    ``done`` are nodes that need no turn. Not safe to share between threads.
    """

    def __init__(
        self, stages: Sequence[StagePlan], budget: Budget, done: Collection[str] = ()
    ) -> None:
        self.stages = tuple(stages)
        self.failed: dict[str, None] = {}
        self.why = ""
        """Why not every node gets its turn; empty while all go on."""
        self._budget = budget
        self._stage = {part.node.name: n for n, s in enumerate(stages) for part in s.nodes}
        self._waiting = deque(name for name in self._stage if name not in done)
        self._left = [0] * len(self.stages)
        for name in self._waiting:
            self._left[self._stage[name]] += 1
        self._prepared: list[deque[str]] = [deque() for _ in self.stages]
        self._open = 0
        """The first stages so many are open."""
        self._at_gate = False
        self._last = len(self.stages)
        """Stages from here on don't begin."""
        self._done = set(done)

    def next(self) -> Turn | None:
        """What begins now; None until something else has ended, or for good."""
        if turn := self._gate():
            return turn
        for stage in range(min(self._open, self._last)):
            if self._prepared[stage]:
                return Turn(Part.CONVERGE, stage, self._prepared[stage].popleft())
        while self._waiting:
            name = self._waiting.popleft()
            if name not in self.failed and self._stage[name] < self._last:
                return Turn(Part.AHEAD, self._stage[name], name)
        return None

    def ended(self, turn: Turn, well: bool) -> None:
        """Take in how a turn ended. A gate that stays shut ends the run."""
        if turn.part is Part.GATE:
            self._at_gate = False
            if well:
                self._open += 1
            else:
                self.stop(f"the gate of stage {self.stages[turn.stage].name} stayed shut")
        elif not well:
            self.fail(turn.node)
        elif turn.part is Part.AHEAD:
            self._prepared[turn.stage].append(turn.node)
        else:
            self._left[turn.stage] -= 1
            self._done.add(turn.node)

    def fail(self, node: str) -> None:
        """A node has failed, in its turn or before it had one."""
        self.failed[node] = None
        self._left[self._stage[node]] -= 1
        verdict, why = self._budget.spend(node)
        if verdict is Verdict.STOP:
            self.stop(why)
        elif verdict is Verdict.STAGE:
            self.stop(why, after=self._stage[node])

    def stop(self, why: str, *, after: int = -1) -> None:
        """Let nothing more begin, or nothing of a stage ``after`` that one.

        What is under way ends as it will.
        """
        self.why = self.why or why
        self._last = min(self._last, after + 1)

    def skipped(self) -> tuple[str, ...]:
        """The nodes whose turn never came, or was not their last, in the order of stages."""
        return tuple(n for n in self._stage if n not in self._done and n not in self.failed)

    def _gate(self) -> Turn | None:
        """The next stage's gate, once nothing before it is left to do."""
        stage = self._open
        if self._at_gate or stage >= self._last or any(self._left[:stage]):
            return None
        if not self._left[stage]:
            self._open += 1  # nobody is left there to be let in
            return self._gate()
        if not self.stages[stage].after:
            self._open += 1
            return self._gate()
        self._at_gate = True
        return Turn(Part.GATE, stage)
