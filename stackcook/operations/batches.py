"""``converge --batch``: the nodes of a stage converge a few at a time, one node first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from stackcook.errors import UsageError
from stackcook.manifest.model import Amount
from stackcook.operations.shared import StageNodes


def parse_batch(word: str) -> Amount:
    """The value of the option: ``5`` or ``10%``. Raises UsageError if it is neither."""
    try:
        size = Amount.parse(word)
        if size.number:
            return size
    except ValueError:
        pass
    remedy = "write a number of nodes, such as 5, or a percentage of a stage, such as 10%"
    raise UsageError(f'"{word}" is not the size of a batch', where="--batch", remedy=remedy)


def batched(stages: Iterable[StageNodes], size: Amount) -> Iterator[StageNodes]:
    """The stages in batches, each a stage that waits for the one before it. Pure.

    The first batch of a stage is its first node alone: whatever goes wrong on all nodes goes wrong
    on one. A stage with a single node stays as it is.
    """
    for stage in stages:
        first, *rest = stage.nodes
        step = max(1, size.of(len(stage.nodes)))
        parts = [(first,), *(tuple(rest[n : n + step]) for n in range(0, len(rest), step))]
        before = stage.before
        for number, nodes in enumerate(parts, 1):
            name = f"{stage.name}, batch {number} of {len(parts)}" if rest else stage.name
            yield replace(stage, name=name, nodes=nodes, before=before)
            before += nodes
