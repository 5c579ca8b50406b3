"""What a command will do, as plain data: the plan that `plan` prints and the executor carries out.

An operation is a function that returns a Plan. The name of a step selects its action: see
``operations/shared.py``, ``deploy.py``, ``converge.py`` and ``destroy.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

Key = tuple[str, str]
"""What tells a step from the others: its node, or its stage or zone, or "", and its name."""

RUN_LISTS: Key = ("", "run lists")
"""The step after which nodes are changed."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: on one node, or (``node`` empty) for all, or for a ``zone``.

    The ``stage`` is the node's or the gate's; of other steps for a zone, its name.
    ``does`` says in a few words what it does. It begins after the steps ``after``, and once every
    step of the nodes ``after_nodes`` is done; nodes that the plan does not have are not waited for.
    ``timeout`` is in seconds, None: no limit of its own. With ``retry`` it is tried again after a
    transient failure. A step that only looks does not change anything (``changes``).
    """

    name: str
    does: str
    node: str = ""
    stage: str = ""
    after: tuple[Key, ...] = ()
    after_nodes: tuple[str, ...] = ()
    timeout: float | None = None
    retry: bool = False
    changes: bool = True
    waits_for_retries: bool = True
    """Whether it waits for nodes that are being retried, even if the budget lets them fail."""
    despite_failures: bool = False
    """Whether it begins even if what it waits for has failed; what waits for it does not, then."""
    zone: str = ""
    """The zone that ends if it fails; the steps of other zones, and those of none, go on."""

    @property
    def key(self) -> Key:
        """The key by which other steps refer to it."""
        return (self.node or self.stage, self.name)


@dataclass(frozen=True)
class Plan:
    """The steps of one run of ``command``, in the order in which one worker would take them.

    ``machines`` says of each node that needs it what becomes of its machine first: "create" or
    "start". ``done`` are the nodes that the deploy which this one resumes has finished. Nodes
    ``in_turn`` are the members of a cluster, of which one is changed at a time.
    """

    command: str
    steps: tuple[Step, ...] = ()
    machines: Mapping[str, str] = field(default_factory=dict)
    done: frozenset[str] = frozenset()
    in_turn: frozenset[str] = frozenset()

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that have steps, in the order of their stages."""
        return tuple(name for _, names in self.stages for name in names)

    @cached_property
    def zones(self) -> tuple[str, ...]:
        """The zones that have steps."""
        return tuple(dict.fromkeys(step.zone for step in self.steps if step.zone))

    @cached_property
    def stages(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each stage with its nodes."""
        found: dict[str, dict[str, None]] = {}
        for step in self.steps:
            if step.node:
                found.setdefault(step.stage, {})[step.node] = None
        return tuple((stage, tuple(names)) for stage, names in found.items())

    def of(self, node: str) -> tuple[Step, ...]:
        """The steps of one node; of none, those for the whole deployment."""
        return self._by_node.get(node, ())

    @cached_property
    def _by_node(self) -> dict[str, tuple[Step, ...]]:
        found: dict[str, list[Step]] = {}
        for step in self.steps:
            found.setdefault(step.node, []).append(step)
        return {node: tuple(steps) for node, steps in found.items()}
