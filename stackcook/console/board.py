"""The state of a run, computed from its events: as a live table, lines, a summary, or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table
from rich.text import Text

from stackcook.bootstrap.findings import NodeFinding, rows
from stackcook.errors import ExitCode, counted
from stackcook.run.events import (
    FINDINGS,
    LOOKS,
    Event,
    Findings,
    NodeSkipped,
    Notice,
    PlanChanged,
    RunDone,
    RunStarted,
    StepDone,
    StepFailed,
    StepProgress,
    StepRetried,
    StepStarted,
)
from stackcook.report.format import columns, duration, roughly
from stackcook.run.forecast import Forecast

QUIET = 20.0
"""Seconds after which a line shows the progress of a step."""

SILENT = 60.0
"""Seconds after which it does so even without progress."""

MOST_NAMED = 8
"""How many nodes are named of those that ended alike when a run was interrupted."""

_AS_LAST = Text("as in the last run", "dim")

_FIRST = ("failed", "running", "skipped", "waiting", "done")
"""Results, the most important ones first."""

_COLOURS = {"running": "cyan", "done": "green", "failed": "bold red", "skipped": "yellow"}


@dataclass
class Row:
    """One node, or the steps for many: of a stage or zone, or (``name`` empty) of all."""

    name: str
    stage: str = ""
    step: str = ""
    result: str = "waiting"
    text: str = ""
    began: float = 0.0
    ended: float = 0.0
    shown: float = 0.0
    last_line: str = ""
    resources: int = 0
    updated: int | None = None
    total: int | None = None
    log: str = ""

    def seconds(self, now: float) -> float:
        """How long its step took, or has taken so far."""
        return ((self.ended or now) - self.began) if self.began else 0.0

    def data(self) -> dict[str, Any]:
        """The row as JSON holds it."""
        data = {"step": self.step, "result": self.result, "seconds": round(self.seconds(0), 1)}
        if self.result in ("failed", "skipped"):
            return {**data, "error": self.text, "log": self.log}
        return {**data, "updated": self.updated, "total": self.total}


@dataclass
class Board:
    """The state of a run.

    ``program`` is how to call stackcook for this cloud, ``again`` what to run after a failure, if
    it is not the command of the run.
    """

    forecast: Forecast = field(default_factory=Forecast)
    program: str = "stackcook"
    again: str = ""
    cloud: str = ""
    rows: dict[str, Row] = field(default_factory=dict)
    """Those of nodes, by name."""
    whole: dict[str, Row] = field(default_factory=dict)
    """The others, by the name of the stage or zone; "" for all."""
    steps: list[dict[str, Any]] = field(default_factory=list)
    failures: list[StepFailed] = field(default_factory=list)
    findings: tuple[NodeFinding, ...] = ()
    listed: list[StepFailed] = field(default_factory=list)
    """The failures that the table of findings has told."""
    done: RunDone | None = None

    def take(self, event: Event) -> str | None:
        """Apply an event; returns the line to print for it, if any."""
        self.forecast(event)
        if isinstance(event, RunStarted):
            self.cloud = event.cloud
            self.rows = {name: Row(name) for name in event.nodes}
        elif isinstance(event, RunDone):
            self.done = event
        elif isinstance(event, Notice):
            return event.text
        elif isinstance(event, Findings):
            self.findings = event.findings
            nodes = {finding.node for finding in event.findings if finding.stops}
            self.listed = [f for f in self.failures if f.step in LOOKS and f.node in nodes]
            return columns(rows(event.findings)) if event.findings else None
        elif isinstance(event, PlanChanged):
            steps = ", ".join(event.after) or "nothing"
            return _line(
                event.node, f"the plan has changed ({event.why}); remaining steps: {steps}"
            )
        elif isinstance(event, NodeSkipped):
            row = self._row(event.node, "")
            row.result, row.text = "skipped", event.why
            return _line(row.name, f"skipped: {event.why}")
        elif isinstance(event, StepRetried):
            row = self._row(event.node, event.stage)
            row.result, row.text = "waiting", event.cause
            what = f"{event.step}: {event.cause}" if row.name else event.cause
            return _line(row.name or event.step, f"{what}; retrying in {event.wait:.0f} s")
        elif isinstance(event, StepStarted):
            return self._begin(event)
        elif isinstance(event, StepProgress):
            row = self._row(event.node, event.stage)
            row.text, row.resources, row.updated = event.text, event.resources, event.updated
        else:
            return self._end(event)
        return None

    def _begin(self, event: StepStarted) -> str | None:
        rows = self.rows if event.node else self.whole
        row = self._row(event.node, event.stage)
        stage = event.stage or row.stage
        rows[row.name] = Row(row.name, stage, event.step, "running", began=event.at, shown=event.at)
        if not event.node or event.step in LOOKS:
            return None
        return _line(row.name, f"{event.step} …")

    def _end(self, event: StepDone | StepFailed) -> str | None:
        row = self._row(event.node, event.stage)
        if row.step != event.step:
            row = Row(row.name)  # two steps for all nodes run: the row shows the one begun last
        row.ended = event.at
        if isinstance(event, StepFailed):
            row.result, row.text, row.log = "failed", event.error, event.log
            self.failures.append(event)
            what = f"{event.step} failed" if row.name else "failed"
            return _line(row.name or event.step, f"{what} ({duration(event.seconds)})")
        row.result, row.text = "done", event.text
        row.updated, row.total = event.updated, event.total
        if not event.node:
            done = {"step": event.step, "stage": event.stage or None, "text": event.text}
            self.steps.append({**done, "seconds": round(event.seconds, 1)})
        if not row.name:
            return _line(event.step, f"{event.text or 'ok'} ({duration(event.seconds)})")
        if event.step in LOOKS and not event.text:
            return None
        return _line(row.name, f"{event.step}: {event.text or 'ok'} ({duration(event.seconds)})")

    def due(self, now: float) -> list[str]:
        """Lines about running steps that have printed nothing for a while."""
        lines = []
        for row in (*self.whole.values(), *self.rows.values()):
            if row.result != "running" or now - row.shown < QUIET:
                continue
            text = _progress(row)
            if text != row.last_line or now - row.shown >= SILENT:
                row.shown, row.last_line = now, text
                lines.append(_line(row.name or row.step, f"{text} ({duration(row.seconds(now))})"))
        return lines

    def _row(self, node: str, stage: str) -> Row:
        if node:
            return self.rows.setdefault(node, Row(node))
        return self.whole.setdefault(stage, Row(stage))

    def table(self, now: float, most: int | None = None) -> Table:
        """One line per node, below running steps for many nodes; the time left, if it is known.

        With more than ``most`` lines, the most important ones come first, and the last line counts
        the others: a terminal shows no more, and laying out thousands of lines takes seconds.
        """
        table = Table(box=None, show_header=False, pad_edge=False, expand=True)
        for width in (14, 14, 18, 8):
            table.add_column(min_width=width, no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        left = None if self.done else self.forecast.left(now)
        shown, others = self._shown(most if most is None or left is None else most - 1)
        for row in shown:
            counts = f"{row.resources} done, {row.updated} updated" if row.resources else ""
            if row.total is not None:
                counts = f"{row.updated}/{row.total} updated"
            table.add_row(
                Text(row.name or "all", "bold"),
                Text(f"{row.step or row.result}", _COLOURS.get(row.result, "dim")),
                Text(counts),
                Text(duration(row.seconds(now)) if row.began else ""),
                Text(" ".join(row.text.split()) if row.result != "done" else "", "dim"),
            )
        if others:
            counts = ", ".join(f"{number} {result}" for result, number in others.items())
            table.add_row(Text("others", "bold"), Text("…", "dim"), "", "", Text(counts, "dim"))
        if left is not None:
            table.add_row(Text("time left", "bold"), roughly(left), "", "", _AS_LAST)
        return table

    def _shown(self, most: int | None) -> tuple[list[Row], Counter[str]]:
        """The rows of the table, and how many others have which result."""
        rows = [row for row in self.whole.values() if row.result == "running"]
        rows += (row for row in self.rows.values() if not self.done or row.result != "waiting")
        if most is None or len(rows) <= most:
            return rows, Counter()
        rows.sort(key=lambda row: _FIRST.index(row.result))
        return rows[: most - 1], Counter(row.result for row in rows[most - 1 :])

    def problems(self) -> Text:
        """Each failure with its cause, what to do about it, and its log."""
        text = Text()
        for failure in self.failures:
            if failure in self.listed or (failure.step == FINDINGS and self.findings):
                continue
            text.append(f"{failure.step} failed: ", "bold red")
            text.append(f"{failure.error}\n")
            if failure.log and failure.step not in LOOKS:  # their log has nothing more
                text.append(f"    log: {failure.log}\n", "dim")
        text.rstrip()
        return text

    def summary(self) -> Text:
        """The duration, what changed on each node, facts such as the URL of Horizon, what next."""
        text = Text()
        if self.done is None:
            return text
        end = {
            0: "done",
            8: "done, with failed nodes within the failure budget,",
            130: "interrupted",
        }.get(int(self.done.exit_code), f"failed (exit {self.done.exit_code})")
        healthy = [zone for zone, why in self.done.zones.items() if not why]
        failed = [zone for zone, why in self.done.zones.items() if why]
        if failed and healthy and self.done.exit_code == ExitCode.WITHIN_BUDGET:
            end = f"done in {', '.join(healthy)}, but not in {', '.join(failed)},"
        text.append(f"{self.done.command} {end} in {duration(self.done.seconds)}", "bold")
        if self.done.exit_code == ExitCode.INTERRUPTED:
            text.append("".join(f"\n  {how:<10}  {what}" for how, what in self._interrupted()))
            return text
        lines = {
            row.name: f"{row.updated}/{row.total} resources updated"
            for row in self.rows.values()
            if row.total is not None
        }
        lines.update({**self.done.facts, **dict(self._next())})
        width = max(map(len, lines), default=0)
        text.append("".join(f"\n  {name:<{width}}  {value}" for name, value in lines.items()))
        return text

    def _next(self) -> Iterator[tuple[str, str]]:
        """The commands that help after a failure."""
        if not self.failures or self.done is None:
            return
        logged = [f.node for f in self.failures if f.log and f.step not in LOOKS]
        if logged:
            more = f"; all failures: {self.program} report" if len(self.failures) > 1 else ""
            yield "see why", f"{self.program} logs {logged[0]} --failed{more}"
        command = self.again or f"{self.program} {self.done.command}"
        if self.done.exit_code == ExitCode.VERIFY:
            yield "then", f"{self.program} verify"
        elif (
            self.done.exit_code == ExitCode.WITHIN_BUDGET
            and self.done.command == "deploy"
            and not any(self.done.zones.values())
        ):
            yield "then", f"{command} --retry-failed"
        elif self.done.command == "deploy":
            yield "then", f"{command} (resumes where it stopped)"
        else:
            yield "then", f"{command}, as before"

    def _interrupted(self) -> Iterator[tuple[str, str]]:
        """What was done, and what was not."""
        found: dict[str, list[str]] = {}
        for row in (*self.whole.values(), *self.rows.values()):
            one = row.name in self.rows
            name = row.name if one else f"{row.name} {row.step}".strip()
            if row.result == "failed":
                found.setdefault("failed", []).append(name)
            elif row.result == "skipped" and (not row.began or row.ended and row.step in LOOKS):
                found.setdefault("not begun", []).append(name)
            elif row.result in ("running", "skipped"):
                during = "after" if row.ended else "during"
                what = f"{name} ({during} {row.step})" if one else name
                found.setdefault("unfinished", []).append(what)
            elif one:  # or it waits: the deploy that this one resumes has converged it
                found.setdefault("done", []).append(row.name)
        if steps := [step["step"] for step in self.steps]:
            yield "done", ", ".join(steps)
        for how in ("done", "failed", "unfinished", "not begun"):
            if names := found.get(how):
                left = len(names) - MOST_NAMED
                more = f" and {counted(left, 'more node')}" if left > 0 else ""
                yield how, ", ".join(names[:MOST_NAMED]) + more

    def data(self) -> dict[str, Any]:
        """The run as JSON holds it."""
        assert self.done is not None
        return {
            "cloud": self.cloud,
            "seconds": round(self.done.seconds, 1),
            "steps": self.steps,
            "nodes": {row.name: row.data() for row in self.rows.values()},
            "findings": [finding.data() for finding in self.findings],
            "errors": [
                {"step": f.step, "node": f.node, "stage": f.stage or None, "error": f.error}
                for f in self.failures
            ],
            "zones": {name: {"failed": why or None} for name, why in self.done.zones.items()},
            "facts": dict(self.done.facts),
        }


def _line(name: str, text: str) -> str:
    return f"{name:<14} {text}"


def _progress(row: Row) -> str:
    if not row.resources:
        return f"{row.step}: {row.text or '…'}" if row.name else row.text or "…"
    return f"{row.step}: {row.resources} resources, {row.updated} updated, at {row.text}"
