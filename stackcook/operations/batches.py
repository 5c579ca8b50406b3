"""``converge --batch``: the nodes of a stage converge a few at a time, one node first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from stackcook.errors import UsageError
from stackcook.operations.shared import StageNodes

_BATCH = re.compile(r"(\d{1,6})(%?)", re.ASCII)


@dataclass(frozen=True)
class BatchSize:
    """``amount`` nodes, or as many percent of a stage, rounded down; at least one node."""

    amount: int
    percent: bool = False

    def of(self, stage: int) -> int:
        """The number of nodes in a batch, for a stage with ``stage`` nodes."""
        return max(1, stage * self.amount // 100 if self.percent else self.amount)


def parse_batch(word: str) -> BatchSize:
    """The value of the option: ``5`` or ``10%``. Raises UsageError if it is neither."""
    match = _BATCH.fullmatch(word)
    if not match or not int(match[1]) or (match[2] and int(match[1]) > 100):
        remedy = "write a number of nodes, such as 5, or a percentage of a stage, such as 10%"
        raise UsageError(f'"{word}" is not the size of a batch', where="--batch", remedy=remedy)
    return BatchSize(int(match[1]), bool(match[2]))


def batched(stages: Iterable[StageNodes], size: BatchSize) -> Iterator[StageNodes]:
    """The stages in batches, each a stage that waits for the one before it. Pure.

    The first batch of a stage is its first node alone: whatever goes wrong on all nodes goes wrong
    on one. A stage with a single node stays as it is.
    """
    for stage in stages:
        first, *rest = stage.nodes
        step = size.of(len(stage.nodes))
        parts = [(first,), *(tuple(rest[n : n + step]) for n in range(0, len(rest), step))]
        before = stage.before
        for number, nodes in enumerate(parts, 1):
            name = f"{stage.name}, batch {number} of {len(parts)}" if rest else stage.name
            yield replace(stage, name=name, nodes=nodes, before=before)
            before += nodes
