"""The nodes' part of a run: reach them all, then take each in its turn."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from stackcook.bootstrap.base import ConvergeResult, Deploy, NodeStep, Registration
from stackcook.run.budget import Budget
from stackcook.run.events import NodeSkipped, Notice
from stackcook.operations.fanout import fan_out
from stackcook.run.plan import Facts, StagePlan, plan
from stackcook.run.schedule import Part, Schedule, Turn
from stackcook.operations.site import Site
from stackcook.operations.steps import Halt, Say, Steps
from stackcook.operations.walk import Aside, walk
from stackcook.errors import ExitCode, NodeError
from stackcook.manifest.model import Manifest, Node
from stackcook.remote.base import Host


def default_parallel(nodes: int) -> int:
    """How many nodes at once, if nobody says: what this machine's cores can feed."""
    return max(1, min(nodes, 8 * (os.cpu_count() or 1)))


@dataclass
class Reached:
    """A node that SSH has reached, or will have in its turn if it is ``late``.

    ``registration`` is None until somebody has looked at it.
    """

    node: Node
    host: Host
    registration: Registration | None = None
    late: bool = False


class _Later(Exception):
    """There is to be another try, but not now."""


def _not_now() -> AbstractContextManager[None]:
    raise _Later


class NodeRun:
    """One run's nodes. ``parallel`` is how many at once, 0: as many as is good."""

    def __init__(
        self, manifest: Manifest, site: Site, steps: Steps, *, parallel: int, spread: float
    ) -> None:
        self._manifest = manifest
        self._site = site
        self._steps = steps
        self._parallel = parallel
        self._spread = spread

    def reach(
        self, nodes: Sequence[Node], done: Collection[str] = (), *, bootstrapped: bool = False
    ) -> tuple[Schedule, dict[str, Reached]]:
        """The nodes by name, and their schedule; those that can't be reached have failed in it.

        Nodes in ``done`` have no turn, if they still are what they were. Raises Halt once more
        have failed than may: before anything is changed. Nobody waits for nodes that don't answer
        at first, if all of them may fail: they are tried again in their turn.
        """
        hosts = self._site.machines.hosts(nodes)

        def reach(node: Node) -> Reached:
            each = Reached(node, hosts[node.name])
            if not bootstrapped and node.name not in done:
                self._site.bootstrap().reach(node, each.host)
                return each
            self._look(each)
            if bootstrapped and each.registration is not Registration.REGISTERED:
                what = "it is not bootstrapped yet"
                raise NodeError(what, where=node.name, remedy="run `stackcook deploy`")
            return each

        stages = plan(self._manifest, Facts(), {node.name for node in nodes}).stages
        budget = Budget.of(self._manifest)
        reached, late = self._log_in(nodes, reach, stages, later=True)
        missing = {node.name for node in nodes}.difference(reached)
        if not bootstrapped and budget.bears(missing):
            reached.update((node.name, Reached(node, hosts[node.name], late=True)) for node in late)
        elif late:
            reached.update(self._log_in(late, reach, stages)[0])
        known = {
            name for name, each in reached.items() if each.registration is Registration.REGISTERED
        }
        schedule = Schedule(stages, budget, known.intersection(done))
        for node in nodes:
            if node.name not in reached:
                schedule.fail(node.name)
        self._end(schedule)
        return schedule, reached

    def _log_in(
        self,
        nodes: Sequence[Node],
        reach: Callable[[Node], Reached],
        stages: Sequence[StagePlan],
        *,
        later: bool = False,
    ) -> tuple[dict[str, Reached], list[Node]]:
        """Those that are reached, by name; and with ``later`` those to be tried once more."""
        stage_of = _stages(stages)

        def step(node: Node, aside: Aside) -> Reached | None:
            wait, tried = (_not_now, 0) if later else (aside, 1)
            stage = stage_of[node.name]
            return self._steps.on_node(
                "reach", node.name, stage, lambda _: reach(node), wait, tried
            )

        results = fan_out(
            nodes, step, parallel=self._threads(len(nodes)), on_interrupt=self._interrupt
        )
        for result in results:
            if result.error and not isinstance(result.error, _Later):
                raise result.error  # a listener's; a step's own has been told
        reached = {each.item.name: each.value for each in results if each.value}
        return reached, [each.item for each in results if each.error]

    def walk(self, schedule: Schedule, reached: Mapping[str, Reached], deploy: Deploy) -> None:
        """Every node in its turn; raises Halt if not all could be done that must."""
        codes: list[ExitCode] = []

        def take(turn: Turn, aside: Aside) -> bool | None:
            stage = schedule.stages[turn.stage]
            if turn.part is Part.GATE:
                return self._gate(stage, tuple(schedule.failed), deploy, codes)
            each = reached[turn.node]
            steps = self._steps_of(turn.part, each, deploy, aside)
            return self._take(each, stage.name, steps, aside)

        threads = self._threads(len(reached))
        try:
            walk(
                schedule, take, parallel=threads, on_interrupt=self._interrupt, spread=self._spread
            )
        except KeyboardInterrupt:
            self._skip(schedule)
            raise
        self._end(schedule, *codes)

    def again(self, nodes: Sequence[Node], reached: Mapping[str, Reached], deploy: Deploy) -> None:
        """The second of two converges, in which Chef may change nothing."""

        def again(node: Node, step: NodeStep) -> NodeStep:
            def work(say: Say) -> ConvergeResult | str:
                result = step.work(say)
                if isinstance(result, ConvergeResult) and result.updated:
                    raise _restless(node, result)
                return result

            return NodeStep("converge again", work)

        def one(node: Node, aside: Aside) -> bool | None:
            each = reached[node.name]
            steps = self._steps_of(Part.CONVERGE, each, deploy, aside)
            return self._take(each, "", (again(node, step) for step in steps), aside)

        results = fan_out(
            nodes, one, parallel=self._threads(len(nodes)), on_interrupt=self._interrupt
        )
        if not all(result.value for result in results):
            raise Halt(ExitCode.NODES)

    def _look(self, each: Reached) -> str:
        found = self._site.bootstrap().look(each.node, each.host)
        each.registration = found.registration
        return found.text

    def _steps_of(
        self, part: Part, each: Reached, deploy: Deploy, aside: Aside
    ) -> Iterator[NodeStep]:
        """One after the other: a look comes first, where there was none, and decides the rest."""
        chef = self._site.bootstrap()

        def reach(_: Say) -> str:
            with aside():  # it may be off, and take its time to say so
                chef.reach(each.node, each.host)
            each.late = False
            return ""

        if each.late:
            yield NodeStep("reach", reach)
        if each.registration is None:
            yield NodeStep("preflight", lambda _: self._look(each))
        assert each.registration is not None
        steps_of = chef.ahead if part is Part.AHEAD else chef.converge
        yield from steps_of(each.node, each.host, each.registration, deploy)

    def _take(
        self, each: Reached, stage: str, steps: Iterable[NodeStep], aside: Aside
    ) -> bool | None:
        """The steps of one node's turn, until one fails; whether all went well.

        None where an interrupt has let some of them not begin.
        """
        name = each.node.name
        for step in steps:
            if self._steps.stopping.is_set():
                return None
            tried = int(each.late)  # so it has been, once
            if self._steps.on_node(step.name, name, stage, step.work, aside, tried) is None:
                return False
        return True

    def _gate(
        self, stage: StagePlan, failed: Collection[str], deploy: Deploy, codes: list[ExitCode]
    ) -> bool:
        before = tuple(node for node in stage.after if node.name not in failed)
        try:
            self._steps.for_all(
                "gate", lambda _: self._site.gate(before, deploy), stage.name, again=True
            )
        except Halt as halt:
            codes.append(halt.code)
            return False
        return True

    def _interrupt(self, count: int) -> None:
        self._steps.stopping.set()
        if count == 1:
            text = "Interrupted: what is under way ends first. Ctrl-C again ends that as well."
            self._steps.emit(Notice(self._steps.clock(), text))
            return
        self._steps.mute(True)
        self._site.bootstrap().interrupt()

    def _end(self, schedule: Schedule, *codes: ExitCode) -> None:
        """Go on if the schedule does, else raise Halt."""
        if schedule.why:
            self._skip(schedule)
            raise Halt(codes[0] if codes else ExitCode.NODES)

    def _skip(self, schedule: Schedule) -> None:
        stages = _stages(schedule.stages)
        for name in schedule.skipped():
            now = self._steps.clock()
            self._steps.emit(NodeSkipped(name, now, schedule.why, stages[name]))

    def _threads(self, nodes: int) -> int:
        return self._parallel or default_parallel(nodes)


def _stages(stages: Sequence[StagePlan]) -> dict[str, str]:
    """Node → the name of its stage."""
    return {part.node.name: stage.name for stage in stages for part in stage.nodes}


def _restless(node: Node, result: ConvergeResult) -> NodeError:
    changed = ", ".join(result.changed)
    return NodeError(
        f"the second converge changed {result.updated} of {result.total} resources ({changed})",
        where=node.name,
        remedy="make these resources look at what they change",
    )
