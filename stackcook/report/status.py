"""The state of each node, as text for a terminal and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.text import Text

from stackcook.report.format import ago, columns, iso

_STYLES = {
    **{"running": "green", "stopped": "yellow", "absent": "yellow", "unreachable": "red"},
    **{"done": "green", "failed": "bold red"},
    **{"skipped": "yellow", "retried": "yellow", "interrupted": "yellow"},
}
"""Of a machine's state, and of a step's result."""

_EXPLAINED = ("failed", "skipped", "retried", "interrupted")

_HEADS = ("node", "address", "machine", "step", "result", "when", "check-in")


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


def render(nodes: Sequence[NodeStatus], now: float, width: int) -> Text:
    """A line for each node, and below it why it did not succeed, in lines of ``width`` columns.

    The addresses are left out if they do not fit: `stackcook machines` shows them, too. If there
    are zones, the nodes' zones come first.
    """
    table = [_HEADS, *(_cells(node, now) for node in nodes)]
    if max(map(len, columns(table).splitlines())) > width:
        table = [(name, *rest) for name, _address, *rest in table]
    if any(node.zone for node in nodes):
        zones = ("zone", *(node.zone or "-" for node in nodes))
        table = [(zone, *cells) for zone, cells in zip(zones, table)]
    widths = [max(map(len, column)) for column in zip(*table)]
    heads, *lines = table
    text = Text()
    _append(text, heads, widths)
    text.stylize("bold")
    for node, cells in zip(nodes, lines):
        text.append("\n")
        _append(text, cells, widths)
        if node.why and node.result in _EXPLAINED:
            why = " ".join(node.why.removeprefix(f"{node.node}: ").split())
            for part in textwrap.wrap(
                why, width - 4, break_on_hyphens=False, break_long_words=False
            ):
                text.append(f"\n    {part}")
    if any(node.result == "failed" for node in nodes):
        hint = "run `stackcook logs NODE --failed` to see the output of a failed step"
        text.append("".join(f"\n{part}" for part in textwrap.wrap(hint, width)), "dim")
    return text


def _append(text: Text, cells: Sequence[str], widths: Sequence[int]) -> None:
    """Append the cells of a line, without blanks at its end."""
    name, *rest, last = cells
    text.append(name.ljust(widths[0]))
    for cell, width in zip(rest, widths[1:]):
        text.append("  ").append(cell.ljust(width), _STYLES.get(cell))
    text.append(f"  {last}")


def _cells(node: NodeStatus, now: float) -> tuple[str, ...]:
    texts = (node.address, node.machine, node.step, node.result)
    times = (ago(now - at) if at else None for at in (node.when, node.check_in))
    return (node.node, *(cell or "-" for cell in (*texts, *times)))
