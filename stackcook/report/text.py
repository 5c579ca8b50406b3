"""A run told on a terminal: what it did, what failed and why, and what took long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from stackcook.errors import counted
from stackcook.run.events import LOOKS
from stackcook.run.history import Run
from stackcook.report.causes import Cause, causes
from stackcook.report.run import RunReport, Slow, StageRun, seconds
from stackcook.report.words import difference, duration, ending, natural, when

CAUSES = 20
"""So many causes of failures are told."""

SLOWEST = 8
"""So many slow resources, and recipes, are told."""


def render(report: RunReport) -> Text:
    """The run as lines; ends without a newline."""
    parts = [_head(report), *_stages(report), *_whole(report), *_failures(report)]
    parts += [*_retried(report), *_slow("resources", report.resources)]
    parts += _slow("recipes", report.recipes)
    return Text("\n").join(parts)


def listed(runs: Sequence[Run], running: bool) -> str:
    """A line a run, the latest first."""
    rows = [("run", "when", "who", "command", "took", "how it ended", "deploy")]
    for run in reversed(runs):
        under_way = running and run is runs[-1]
        took = duration(run.ended - run.started) if run.ended else "-"
        how = ending(run.exit_code, run.ended, under_way)
        if run.exit_code:
            how += f" (exit {run.exit_code})"
        rows.append(
            (str(run.id), when(run.started), run.who, run.command, took, how, run.deploy or "-")
        )
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def title(report: RunReport) -> str:
    """What ran and how that ended, on one line."""
    run = report.run
    how = ending(run.exit_code, run.ended, report.under_way)
    code = f" (exit {run.exit_code})" if run.exit_code else ""
    return f"{run.command}: {how}{code}, {duration(report.ended - run.started)}"


def _head(report: RunReport) -> Text:
    run = report.run
    about = [f"run {run.id} of {run.who}, begun {when(run.started)}", run.deploy, run.manifest]
    return Text.assemble((title(report), "bold"), f"\n{', '.join(filter(None, about))}")


def _stages(report: RunReport) -> Iterator[Text]:
    width = max((len(stage.name) for stage in report.stages), default=0)
    for stage in report.stages:
        yield Text(f"  {stage.name or '(unknown)':{width}}  {stage_line(stage)}")


def stage_line(stage: StageRun) -> str:
    """How many nodes a stage has, how they ended, and how long it took."""
    ends = ", ".join(f"{number:,} {result}" for result, number in stage.results.items())
    gate = "" if stage.gate is None else f", gate {duration(stage.gate)}"
    nodes = counted(len(stage.nodes), "node")
    return f"{nodes} in {duration(stage.ended - stage.started)}: {ends or 'none begun'}{gate}"


def _whole(report: RunReport) -> Iterator[Text]:
    """The steps for all nodes, on one line."""
    steps = [f"{s.step} {duration(seconds(s))}" for s in report.whole if s.step != "gate"]
    if steps:
        yield Text(f"  {', '.join(steps)}", "dim")


def _failures(report: RunReport) -> Iterator[Text]:
    found = causes(report.failures)
    if found:
        yield Text(f"\n{counted(len(report.failures), 'failure')}", "bold red")
    for cause in found[:CAUSES]:
        yield _cause(cause)
    if len(found) > CAUSES:
        yield Text(
            f"  and {counted(len(found) - CAUSES, 'other cause')}: --html and --json have all"
        )


def _cause(cause: Cause) -> Text:
    first = cause.failures[0]
    step, text = first.step, Text()
    text.append(f"  {cause.nodes or 'all nodes'}: ", "bold")
    attempt = f", attempt {step.attempt}" if step.attempt > 1 else ""
    text.append(f"{step.step} failed after {duration(seconds(step))}{attempt}\n")
    text.append(f"    {cause.error}", "red")
    if first.log and step.step not in LOOKS:  # whose log is what was just said
        text.append(f"\n    log: {first.log}", "dim")
    return text


def _retried(report: RunReport) -> Iterator[Text]:
    nodes = {s.node for node in report.nodes for s in node.steps if s.result == "retried"}
    if nodes:
        names = ", ".join(sorted(nodes, key=natural)[:SLOWEST])
        more = f" and {counted(len(nodes) - SLOWEST, 'more node')}" if len(nodes) > SLOWEST else ""
        yield Text(f"\ntried again: {names}{more}", "yellow")


def _slow(what: str, found: Sequence[Slow]) -> Iterator[Text]:
    if not found:
        return
    compared = " (+/- the last run)" if any(slow.before for slow in found) else ""
    yield Text(f"\nslowest {what}, seconds a node{compared}", "bold")
    for slow in found[:SLOWEST]:
        spent = slow.spent
        name = f"{spent.name}  {spent.recipe}" if spent.name else spent.recipe
        most = f", at most {duration(spent.most)} on {spent.slowest}" if spent.slowest else ""
        most = most if spent.nodes > 1 else ""
        yield Text(
            f"  {duration(spent.mean):>12} {difference(slow.difference):>9}  {name}"
            f"  ({counted(spent.nodes, 'node')}{most})"
        )
