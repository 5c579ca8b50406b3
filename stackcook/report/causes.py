"""The same failure on many nodes, told once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stackcook.errors import counted
from stackcook.report.run import Failure

_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
NAMED = 8
"""So many of a cause's nodes are named."""


@dataclass(frozen=True)
class Cause:
    """Failures of one step by one error, in the order in which they happened."""

    step: str
    error: str
    failures: tuple[Failure, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Each node that failed so; none, for a step for all nodes."""
        return tuple(dict.fromkeys(f.step.node for f in self.failures if f.step.node))

    @property
    def nodes(self) -> str:
        """The nodes for people: all their names, or the first few and how many more."""
        left = len(self.names) - NAMED
        if left <= 1:
            return ", ".join(self.names)
        return f"{', '.join(self.names[:NAMED])} and {counted(left, 'more node')}"


def causes(failures: Iterable[Failure]) -> tuple[Cause, ...]:
    """The failures by what failed and why, whatever the node is called and wherever it is."""
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
