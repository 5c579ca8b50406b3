"""A run or a verification as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from stackcook.errors import counted
from stackcook.report.run import Cause, RunReport, Slow, StageRun, causes, seconds
from stackcook.report.format import columns, difference, duration, ending, natural, when
from stackcook.run.events import LOOKS
from stackcook.run.history import Run
from stackcook.verify.check import Check, Report

CAUSES = 20
"""How many causes of failures are shown."""

SLOWEST = 8
"""How many slow resources and recipes are shown."""


def render(report: RunReport) -> Text:
    """The run as lines; ends without a newline."""
    parts = [_head(report), *_zones(report), *_stages(report), *_whole(report)]
    parts += _failures(report)
    parts += [*_retried(report), *_slow("resources", report.resources)]
    parts += _slow("recipes", report.recipes)
    return Text("\n").join(parts)


def listed(runs: Sequence[Run], running: bool) -> str:
    """One line per run, the latest first."""
    rows = [("run", "started", "user", "command", "duration", "result", "deploy")]
    for run in reversed(runs):
        under_way = running and run is runs[-1]
        took = duration(run.ended - run.started) if run.ended else "-"
        how = ending(run.exit_code, run.ended, under_way)
        if run.exit_code:
            how += f" (exit {run.exit_code})"
        rows.append(
            (str(run.id), when(run.started), run.who, run.command, took, how, run.deploy or "-")
        )
    return columns(rows)


def title(report: RunReport) -> str:
    """The command, the cloud's name if it is known, the result and duration, in one line."""
    run = report.run
    how = ending(run.exit_code, run.ended, report.under_way)
    code = f" (exit {run.exit_code})" if run.exit_code else ""
    of = f" of {report.cloud}" if report.cloud else ""
    return f"{run.command}{of}: {how}{code}, {duration(report.ended - run.started)}"


def _head(report: RunReport) -> Text:
    run = report.run
    about = [f"run {run.id} by {run.who}, started {when(run.started)}", run.deploy, run.manifest]
    return Text.assemble((title(report), "bold"), f"\n{', '.join(filter(None, about))}")


def _zones(report: RunReport) -> Iterator[Text]:
    if report.zones:
        yield Text(f"  zones: {', '.join(f'{zone.name} {zone.result}' for zone in report.zones)}")


def _stages(report: RunReport) -> Iterator[Text]:
    width = max((len(stage.name) for stage in report.stages), default=0)
    for stage in report.stages:
        yield Text(f"  {stage.name or '(unknown)':{width}}  {stage_line(stage)}")


def stage_line(stage: StageRun) -> str:
    """The nodes of a stage, their results, and its duration."""
    ends = ", ".join(f"{number:,} {result}" for result, number in stage.results.items())
    gate = "" if stage.gate is None else f", gate {duration(stage.gate)}"
    nodes = counted(len(stage.nodes), "node")
    return f"{nodes} in {duration(stage.ended - stage.started)}: {ends or 'none started'}{gate}"


def _whole(report: RunReport) -> Iterator[Text]:
    """The steps for all nodes, on one line."""
    whole = [step for step in report.whole if step.step != "gate"]
    steps = [f"{step.stage} {step.step} {duration(seconds(step))}".lstrip() for step in whole]
    if steps:
        yield Text(f"  {', '.join(steps)}", "dim")


def _failures(report: RunReport) -> Iterator[Text]:
    found = causes(report.failures)
    if found:
        yield Text(f"\n{counted(len(report.failures), 'failure')}", "bold red")
    for cause in found[:CAUSES]:
        yield _cause(cause)
    if len(found) > CAUSES:
        yield Text(f"  and {counted(len(found) - CAUSES, 'other cause')}; use --json to see all")


def _cause(cause: Cause) -> Text:
    first = cause.failures[0]
    step, text = first.step, Text()
    text.append(f"  {cause.nodes or 'all nodes'}: ", "bold")
    attempt = f", attempt {step.attempt}" if step.attempt > 1 else ""
    text.append(f"{step.step} failed after {duration(seconds(step))}{attempt}\n")
    text.append(f"    {cause.error}", "red")
    if first.log and step.step not in LOOKS:  # their log has nothing more
        text.append(f"\n    log: {first.log}", "dim")
    return text


def _retried(report: RunReport) -> Iterator[Text]:
    nodes = {s.node for node in report.nodes for s in node.steps if s.result == "retried"}
    if nodes:
        names = ", ".join(sorted(nodes, key=natural)[:SLOWEST])
        more = f" and {counted(len(nodes) - SLOWEST, 'more node')}" if len(nodes) > SLOWEST else ""
        yield Text(f"\nretried: {names}{more}", "yellow")


def _slow(what: str, found: Sequence[Slow]) -> Iterator[Text]:
    if not found:
        return
    compared = " (+/- compared with the last run)" if any(slow.before for slow in found) else ""
    yield Text(f"\nslowest {what}, seconds per node{compared}", "bold")
    for slow in found[:SLOWEST]:
        spent = slow.spent
        name = f"{spent.name}  {spent.recipe}" if spent.name else spent.recipe
        most = f", maximum {duration(spent.most)} on {spent.slowest}" if spent.slowest else ""
        most = most if spent.nodes > 1 else ""
        yield Text(
            f"  {duration(spent.mean):>12} {difference(slow.difference):>9}  {name}"
            f"  ({counted(spent.nodes, 'node')}{most})"
        )


def verification(report: Report) -> Text:
    """One line per check, grouped by node, notes, and a summary; no newline at the end."""
    text = Text()
    for node, checks in report.by_node().items():
        text.append(f"{node or 'cloud'}\n", "bold")
        for check in checks:
            _check(text, check)
    for note in report.notes:
        text.append(f"{note}\n")
    if report.screenshots:
        text.append(f"screenshots of Horizon: {report.screenshots[0].parent}\n")
    text.append(summary(report))
    return text


def summary(report: Report) -> str:
    """The report in one line."""
    failed = len(report.failures)
    count = f"{counted(len(report.checks), 'check')} in {report.seconds:.1f} s"
    return f"{count}: {failed} failed" if failed else f"{count}: all passed"


def _check(text: Text, check: Check) -> None:
    text.append("  ✓ " if check.ok else "  ✗ ", "green" if check.ok else "bold red")
    where = f" on {check.node}" if check.node and not check.ok else ""
    text.append(f"{check.name}{where}{': ' if check.cause else ''}{check.cause}\n")
    if check.remedy:
        text.append(f"    {check.remedy}\n", "yellow")
