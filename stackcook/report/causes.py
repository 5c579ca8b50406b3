"""The same failure on many nodes, told once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stackcook.report.run import Failure
from stackcook.report.words import count

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
    def nodes(self) -> str:
        """The nodes: their names, or the first few and how many more; empty for all nodes' step."""
        names = list(dict.fromkeys(f.step.node for f in self.failures if f.step.node))
        if len(names) <= NAMED + 1:
            return ", ".join(names)
        return f"{', '.join(names[:NAMED])} and {count(len(names) - NAMED, 'more node')}"


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
