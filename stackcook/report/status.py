"""The state of each node, as text for a terminal and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.text import Text

from stackcook.report.format import ago, iso

_STYLES = {
    **{"running": "green", "stopped": "yellow", "absent": "yellow", "unreachable": "red"},
    **{"done": "green", "failed": "bold red"},
    **{"skipped": "yellow", "retried": "yellow", "interrupted": "yellow"},
}
"""Of a machine's state, and of a step's result."""

_EXPLAINED = ("failed", "skipped", "retried", "interrupted")

_HEADS = ("zone", "node", "address", "machine", "step", "result", "when", "check-in")

_COLOURED = ("machine", "result")

_LEAST = ("address", "check-in", "zone", "when")
"""The columns that are left out until the others fit, in this order."""


@dataclass(frozen=True)
class NodeStatus:
    """A node, its machine, and its last step with its result; None for what is unknown.

    ``when`` the step ended, or began if it goes on, and ``check_in``, the last chef-client run, are
    seconds since the epoch. ``why`` is the result in words.
    """

    node: str
    address: str | None
    machine: str
    step: str | None = None
    result: str | None = None
    when: float | None = None
    check_in: float | None = None
    why: str | None = None
    zone: str | None = None

    def data(self) -> dict[str, Any]:
        """The node as JSON holds it."""
        times = {"when": self.when, "check_in": self.check_in}
        return {**asdict(self), **{key: iso(at) if at else None for key, at in times.items()}}


def render(
    nodes: Sequence[NodeStatus], now: float, width: int, named: Callable[[str], str] = str
) -> Text:
    """A line for each node, and below it why it did not succeed, in lines of ``width`` columns.

    If there are zones, the nodes' zones come first. Columns that do not fit are left out, first the
    addresses: `stackcook machines` shows them, too. ``named`` gets each text with commands in it.
    """
    rows = [_HEADS, *(_cells(node, now) for node in nodes)]
    columns = [column for column in zip(*rows) if column[0] != "zone" or {*column[1:]} != {"-"}]
    for least in _LEAST:
        if _width(columns) > width:
            columns = [column for column in columns if column[0] != least]
    text = _line(columns, 0)
    text.stylize("bold")
    for number, node in enumerate(nodes, 1):
        text.append("\n").append(_line(columns, number))
        if node.why and node.result in _EXPLAINED:
            why = " ".join(node.why.removeprefix(f"{node.node}: ").split())
            for part in textwrap.wrap(
                named(why), width - 4, break_on_hyphens=False, break_long_words=False
            ):
                text.append(f"\n    {part}")
    if any(node.result == "failed" for node in nodes):
        hint = named("run `stackcook logs NODE --failed` to see the output of a failed step")
        lines = textwrap.wrap(hint, width, break_on_hyphens=False, break_long_words=False)
        text.append("".join(f"\n{part}" for part in lines), "dim")
    return text


def _width(columns: Sequence[Sequence[str]]) -> int:
    """Of the longest line."""
    return sum(max(map(len, column)) + 2 for column in columns) - 2


def _line(columns: Sequence[Sequence[str]], number: int) -> Text:
    """One line of the table, without blanks at its end."""
    text = Text()
    for column in columns:
        style = _STYLES.get(column[number]) if column[0] in _COLOURED else None
        text.append(column[number].ljust(max(map(len, column))), style).append("  ")
    text.rstrip()
    return text


def _cells(node: NodeStatus, now: float) -> tuple[str, ...]:
    texts = (node.zone, node.node, node.address, node.machine, node.step, node.result)
    times = (ago(now - at) if at else None for at in (node.when, node.check_in))
    return tuple(cell or "-" for cell in (*texts, *times))
