"""A run as a self-contained HTML page with a timeline: no scripts, no external files."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stackcook.errors import counted
from stackcook.manifest.model import Manifest
from stackcook.report import format, template, text
from stackcook.report.run import MOST_NAMED, NodeRun, RunReport, causes, seconds
from stackcook.report.format import duration
from stackcook.report.topology import draw
from stackcook.run.record import StepState

MOST_CAUSES = 200
"""How many causes of failures are shown."""


def render(report: RunReport, manifest: Manifest | None = None) -> str:
    """The page, with the topology if there is a manifest.

    Texts from nodes are escaped, and scripts are forbidden by its own policy.
    """
    filters = {name: getattr(format, name) for name in ("duration", "difference", "when")}
    found = causes(report.failures)
    return template.render(
        "page.html",
        {**filters, "count": counted, "seconds": seconds},
        report=report,
        run=report.run,
        title=text.title(report),
        stage_line=text.stage_line,
        causes=found[:MOST_CAUSES],
        named=MOST_NAMED,
        more_causes=len(found) - MOST_CAUSES,
        chart=timeline(report),
        topology=b64encode(draw(manifest).encode()).decode() if manifest else "",
        width=WIDTH,
        top=TOP,
        left=LEFT,
    )


WIDTH = 1200.0
LEFT = 180.0
"""Where names end and time begins."""

RIGHT = 16.0
TOP = 46.0
HEADING = 24.0
MOST_ROWS = 2000
"""How many nodes have a row; of more nodes, those that failed or took longest."""

_HEIGHTS = ((60, 18.0), (200, 13.0), (600, 9.0))
"""(rows, height of each): for up to so many rows."""

_LOWEST = 6.0
_THINNEST = 1.2
"""Minimum width of a bar."""

_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_MOST_TICKS = 12
_NAME = 26
"""How many characters of a node name fit."""

_LETTER = 0.6
"""Width of a letter relative to its height."""

KINDS = "reach preflight install register prepare bootstrap converge converge-again verify".split()
"""Steps with a colour of their own, as classes in the page; all others share one."""


@dataclass(frozen=True)
class Bar:
    """One attempt of a step; ``mark`` is its result unless ``done``."""

    x: float
    width: float
    kind: str
    mark: str
    title: str


@dataclass(frozen=True)
class Row:
    """One node, or the steps for all nodes."""

    name: str
    title: str
    y: float
    result: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Mark:
    """A tick of the time axis, the heading of a stage, or a gate."""

    x: float
    y: float
    text: str
    width: float = 0.0


@dataclass(frozen=True)
class Chart:
    """The timeline in pixels; ``row`` is the height of a row, ``note`` says what is missing."""

    height: float
    row: float
    font: float
    rows: tuple[Row, ...]
    ticks: tuple[Mark, ...]
    headings: tuple[Mark, ...]
    gates: tuple[Mark, ...]
    kinds: tuple[tuple[str, str], ...]
    note: str = ""


def timeline(report: RunReport) -> Chart:
    """Lay out the timeline: a row for each node, a bar for each step."""
    nodes, note = _chosen(report.nodes)
    shown = {node.name for node in nodes}
    scale = _Scale(report.run.started, report.ended)
    height = next((high for most, high in _HEIGHTS if len(nodes) <= most), _LOWEST)
    y = TOP
    rows, headings = [], []
    whole = [step for step in report.whole if step.step != "gate"]
    for zone in dict.fromkeys(step.stage for step in whole):
        bars = tuple(scale.bar(step) for step in whole if step.stage == zone)
        what = f"the steps for all nodes{f' of {zone}' * bool(zone)}"
        rows.append(Row(zone or "all nodes", what, y, "", bars))
        y += height
    for stage in report.stages:
        mine = [node for node in stage.nodes if node.name in shown]
        heading = f"{stage.name or 'unknown stage'} · {counted(len(stage.nodes), 'node')}"
        headings.append(Mark(0, y + HEADING - 7, heading))
        y += HEADING
        for node in mine:
            rows.append(_row(node, y, scale))
            y += height
    gates = [step for step in report.whole if step.step == "gate"]
    return Chart(
        height=y + 8,
        row=height,
        font=min(11.0, height - 0.5),
        rows=tuple(rows),
        ticks=tuple(scale.ticks()),
        headings=tuple(headings),
        gates=tuple(_gate(n, step, scale) for n, step in enumerate(gates)),
        kinds=tuple(_kinds(rows)),
        note=note,
    )


class _Scale:
    """From seconds since the epoch to pixels."""

    def __init__(self, began: float, ended: float) -> None:
        self.began = began
        self.span = max(ended - began, 0.1)
        self.factor = (WIDTH - LEFT - RIGHT) / self.span

    def x(self, at: float) -> float:
        """The position of a time, clipped to the chart in case the clock was changed."""
        return LEFT + min(max(at - self.began, 0.0), self.span) * self.factor

    def bar(self, step: StepState) -> Bar:
        """The bar of a step; up to now if it is running."""
        x = self.x(step.started)
        right = self.x(step.ended) if step.ended else x
        if step.result == "running":
            right = self.x(self.began + self.span)
        mark = "" if step.result == "done" else step.result
        kind = step.step.replace(" ", "-")
        kind = kind if kind in KINDS else "other"
        return Bar(x, max(right - x, _THINNEST), kind, mark, _title(step))

    def ticks(self) -> Iterator[Mark]:
        """Up to 13 round times."""
        width = next((t for t in _TICKS if self.span / t <= _MOST_TICKS), _TICKS[-1])
        for number in range(int(self.span / width) + 1):
            yield Mark(self.x(self.began + number * width), TOP, _clock(number * width))


def _chosen(nodes: Sequence[NodeRun]) -> tuple[Sequence[NodeRun], str]:
    """The nodes that have a row, in their order, and a note about the others."""
    if len(nodes) <= MOST_ROWS:
        return nodes, ""
    ranked = sorted(nodes, key=lambda node: (node.result == "done", -node.seconds))[:MOST_ROWS]
    kept = {node.name for node in ranked}
    left = f"{counted(len(nodes) - MOST_ROWS, 'node')} of {len(nodes):,}"
    note = f"not shown: {left}, which succeeded and were the fastest"
    if ranked[-1].result != "done":
        note = f"not shown: {left}: all that succeeded, and the fastest of the others"
    return [node for node in nodes if node.name in kept], note


def _row(node: NodeRun, y: float, scale: _Scale) -> Row:
    name = node.name if len(node.name) <= _NAME else f"{node.name[: _NAME - 1]}…"
    title = f"{node.name}: {node.result}" + (f"; {node.why}" if node.why else "")
    drawn = (step for step in node.steps if step.result != "skipped")
    return Row(name, title, y, node.result, tuple(scale.bar(step) for step in drawn))


def _title(step: StepState) -> str:
    """The tooltip of a bar."""
    attempt = f", attempt {step.attempt}" if step.attempt > 1 else ""
    took = f", {duration(seconds(step))}" if step.ended else ""
    text = f"; {step.text[:300]}" if step.text else ""
    return f"{step.node or 'all nodes'}: {step.step}{attempt}, {step.result}{took}{text}"


def _gate(number: int, step: StepState, scale: _Scale) -> Mark:
    """A gate: a band over the time it took; its name is on one of two lines above."""
    x = scale.x(step.started)
    right = scale.x(step.ended) if step.ended else scale.x(scale.began + scale.span)
    text = f"gate {step.stage}" + ("" if step.result == "done" else f": {step.result}")
    y = 10.0 + 12 * (number % 2)
    return Mark(min(x, WIDTH - 11 * _LETTER * len(text)), y, text, max(right - x, _THINNEST))


def _kinds(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """The legend: (kind, name) of the bars in the chart."""
    there = {bar.kind for row in rows for bar in row.bars}
    yield from ((kind, kind.replace("-", " ")) for kind in KINDS if kind in there)
    if "other" in there:
        yield "other", "other steps"


def _clock(seconds_: int) -> str:
    """``0:30``, ``1:02:00``."""
    hours, rest = divmod(seconds_, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"
