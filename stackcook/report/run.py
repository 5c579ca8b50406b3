"""What a run did: stages, nodes, failures by cause, and slow resources; all of it redacted.

Read from the record of runs and the logs of the nodes; all report formats are rendered from it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stackcook.errors import ExitCode, counted, one_line
from stackcook.report import logs
from stackcook.report.format import natural, printable
from stackcook.run import history
from stackcook.run.history import Run, Spent
from stackcook.run.logs import path_of
from stackcook.run.record import StepState

SLOWEST = 20
"""How many resources, recipes and nodes are listed as the slowest."""

TAILS = 200
"""How many failures include lines of their logs."""

_BAD = ("failed", "interrupted")
_WORST = ("done", "retried", "skipped", "running", "interrupted", "failed")
"""The results of steps, the worst last."""

_LAST = ("bootstrap", "converge", "converge again", "verify")
"""A node is finished only if its last step is one of these."""


@dataclass(frozen=True)
class NodeRun:
    """One node's part in a run; ``result`` is that of its last step, ``why`` is set on failure.

    ``stage`` is empty if unknown.
    """

    name: str
    stage: str
    steps: tuple[StepState, ...]
    result: str
    why: str = ""

    @property
    def seconds(self) -> float:
        """How long its steps took together."""
        return sum(seconds(step) for step in self.steps)


@dataclass(frozen=True)
class StageRun:
    """The nodes of one stage. ``gate`` is how many seconds its gate took, None without one."""

    name: str
    nodes: tuple[NodeRun, ...]
    started: float
    ended: float
    gate: float | None = None

    @property
    def results(self) -> Counter[str]:
        """How many of its nodes ended how."""
        return Counter(node.result for node in self.nodes)


@dataclass(frozen=True)
class ZoneRun:
    """How a zone ended: as its verification did; before that, as the worst of its steps."""

    name: str
    result: str


@dataclass(frozen=True)
class Failure:
    """A step that failed: the error, the log's lines that tell more, and where the log is."""

    step: StepState
    log: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Slow:
    """A slow resource or recipe; ``before`` is what it took the last time, if there was one."""

    spent: Spent
    before: Spent | None = None

    @property
    def difference(self) -> float | None:
        """Seconds a node that it took more than before."""
        return self.spent.mean - self.before.mean if self.before else None


@dataclass(frozen=True)
class RunReport:
    """A run. ``whole`` are the steps for all nodes; ``ended`` is now if the run is active.

    ``chef`` are the versions of the Chef client that ran on the nodes. ``cloud`` is the cloud's
    name, empty if the manifest is invalid now.
    """

    run: Run
    under_way: bool
    ended: float
    whole: tuple[StepState, ...]
    stages: tuple[StageRun, ...]
    failures: tuple[Failure, ...]
    resources: tuple[Slow, ...] = ()
    recipes: tuple[Slow, ...] = ()
    chef: tuple[str, ...] = ()
    zones: tuple[ZoneRun, ...] = ()
    cloud: str = ""

    @property
    def nodes(self) -> tuple[NodeRun, ...]:
        """Every node, stage by stage."""
        return tuple(node for stage in self.stages for node in stage.nodes)

    @property
    def slowest(self) -> tuple[NodeRun, ...]:
        """The nodes that took longest."""
        return tuple(sorted(self.nodes, key=lambda node: -node.seconds)[:SLOWEST])


def seconds(step: StepState) -> float:
    """How long a step took; 0 if it never ended."""
    return max(0.0, step.ended - step.started) if step.ended else 0.0


def read(
    state: Path,
    run: Run,
    *,
    under_way: bool,
    now: float,
    redact: Callable[[str], str],
    cloud: str = "",
) -> RunReport:
    """Read ``run`` from the directory ``state``; ``redact`` removes secrets from a text."""
    steps = tuple(_shown(step, redact, under_way) for step in history.steps(state, run.id))
    of_nodes = [step for step in steps if step.node]
    staged = {} if all(step.stage for step in of_nodes) else history.stages(state)
    broken_off = run.exit_code in (None, ExitCode.INTERRUPTED)
    halted = "waiting" if under_way else "interrupted" if broken_off else ""
    nodes = _nodes(of_nodes, staged, halted)
    resources, recipes = _slow(state, run, redact)
    last = max((step.ended or step.started for step in steps), default=run.started)
    return RunReport(
        run=run,
        under_way=under_way,
        ended=now if under_way else run.ended or last,
        whole=tuple(step for step in steps if not step.node),
        stages=_stages(nodes, steps),
        failures=_failures(state, steps, redact),
        resources=resources,
        recipes=recipes,
        chef=_chef_versions(state, nodes),
        zones=_zones(steps),
        cloud=cloud,
    )


def _shown(step: StepState, redact: Callable[[str], str], under_way: bool) -> StepState:
    """The step, redacted; a step that a killed run left running is ``interrupted``."""
    result = step.result
    if result == "running" and not under_way:
        result = "interrupted"
    return replace(step, text=one_line(redact(step.text)), result=result)


def _nodes(steps: Iterable[StepState], staged: Mapping[str, str], halted: str) -> list[NodeRun]:
    """The nodes with their steps, in natural order.

    ``halted`` is the result of nodes that were between two steps when the run stopped.
    """
    by_node: dict[str, list[StepState]] = {}
    for step in steps:
        by_node.setdefault(step.node, []).append(step)
    nodes = []
    for name in sorted(by_node, key=natural):
        mine = by_node[name]
        worst = next((step for step in mine if step.result in _BAD), mine[-1])
        stage = next((step.stage for step in mine if step.stage), staged.get(name, ""))
        why = worst.text if worst.result in (*_BAD, "skipped") else ""
        between = worst.result == "retried" or worst.result == "done" and worst.step not in _LAST
        result = halted if halted and between else worst.result
        nodes.append(NodeRun(name, stage, tuple(mine), result, why))
    return nodes


def _stages(nodes: Sequence[NodeRun], steps: Sequence[StepState]) -> tuple[StageRun, ...]:
    """The stages in the order in which they converged; those that did not are last."""
    members: dict[str, list[NodeRun]] = {
        step.stage: [] for step in steps if step.stage and (step.node or step.step == "gate")
    }
    for node in nodes:
        members.setdefault(node.stage, []).append(node)
    converged: dict[str, float] = {}
    for step in steps:
        if step.step in _LAST:
            converged.setdefault(step.stage, step.started)
    gates = {step.stage: step for step in steps if step.step == "gate" and not step.node}
    stages = []
    for name in sorted(members, key=lambda name: converged.get(name, math.inf)):
        mine = members[name]
        times = [step for node in mine for step in node.steps] or [gates[name]]
        began = min(step.started for step in times)
        ended = max(step.ended or step.started for step in times)
        gate = seconds(gates[name]) if name in gates else None
        stages.append(StageRun(name, tuple(mine), began, ended, gate))
    return tuple(stages)


def _zones(steps: Sequence[StepState]) -> tuple[ZoneRun, ...]:
    """The zones: what has steps that are neither of a node nor a stage's gate, nor of all."""
    own = [step for step in steps if step.stage and not step.node and step.step != "gate"]
    found = []
    for zone in dict.fromkeys(step.stage for step in own):
        mine = [s for s in steps if s.stage == zone or s.stage.startswith(f"{zone}/")]
        ends = [step.result for step in mine if step.step == "verify" and not step.node]
        ends = ends or sorted((step.result for step in mine), key=_WORST.index)
        found.append(ZoneRun(zone, ends[-1]))
    return tuple(found)


def _failures(
    state: Path, steps: Iterable[StepState], redact: Callable[[str], str]
) -> tuple[Failure, ...]:
    """The failures in order, the first of them with lines of their logs."""
    found: list[Failure] = []
    for step in (step for step in steps if step.result == "failed"):
        if not step.node:
            found.append(Failure(step))
            continue
        path = path_of(state, step.node)
        lines = logs.step_output(path, step) if len(found) < TAILS else ()
        shown = redact("\n".join(logs.error_lines(lines))).split("\n")
        found.append(Failure(step, str(path), tuple(map(printable, shown)) if lines else ()))
    return tuple(found)


def _slow(
    state: Path, run: Run, redact: Callable[[str], str]
) -> tuple[tuple[Slow, ...], tuple[Slow, ...]]:
    """The slowest resources and recipes, compared with the last run that had them."""
    resources = history.spent(state, run.id)
    slowest = resources[:SLOWEST], history.by_recipe(resources)[:SLOWEST]
    missing = {_key(spent) for found in slowest for spent in found}
    before: dict[tuple[str, str], Spent] = {}
    for earlier in history.spent_before(state, run.id) if missing else ():
        there = (*earlier, *history.by_recipe(earlier))
        before.update({_key(spent): spent for spent in there if _key(spent) in missing})
        missing -= set(before)
        if not missing:
            break

    def slow(spent: Spent) -> Slow:
        name, recipe = (one_line(redact(text)) for text in (spent.name, spent.recipe))
        return Slow(replace(spent, name=name, recipe=recipe), before.get(_key(spent)))

    return tuple(map(slow, slowest[0])), tuple(map(slow, slowest[1]))


def _key(spent: Spent) -> tuple[str, str]:
    return spent.name, spent.recipe


def _chef_versions(state: Path, nodes: Sequence[NodeRun]) -> tuple[str, ...]:
    """The versions of the Chef client, from some of the logs: a run has few different ones."""
    chosen = nodes[:: max(1, len(nodes) // SLOWEST)]
    found = {logs.chef_version(path_of(state, node.name)) for node in chosen}
    return tuple(sorted(found - {""}))


_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
MOST_NAMED = 8
"""How many nodes of a cause are named."""


@dataclass(frozen=True)
class Cause:
    """Failures of one step by one error, in the order in which they happened."""

    step: str
    error: str
    failures: tuple[Failure, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes that failed; empty for a step for all nodes."""
        return tuple(dict.fromkeys(f.step.node for f in self.failures if f.step.node))

    @property
    def nodes(self) -> str:
        """All names, or the first ones and how many more there are."""
        left = len(self.names) - MOST_NAMED
        if left <= 1:
            return ", ".join(self.names)
        return f"{', '.join(self.names[:MOST_NAMED])} and {counted(left, 'more node')}"


def causes(failures: Iterable[Failure]) -> tuple[Cause, ...]:
    """Group the failures by step and error, ignoring node names and addresses in the error."""
    groups: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        step = failure.step
        error = _ADDRESS.sub("ADDRESS", error_of(failure))
        if step.node:
            error = re.sub(rf"(?<![\w-]){re.escape(step.node)}(?![\w-])", "NODE", error)
        groups.setdefault((step.step, error), []).append(failure)
    return tuple(
        Cause(step, error_of(found[0]), tuple(found)) for (step, _), found in groups.items()
    )


def error_of(failure: Failure) -> str:
    """The error without the node's name in front."""
    return failure.step.text.removeprefix(f"{failure.step.node}: ")
