"""What happens during a run, as values; console, log, JSON and reports are listeners.

The engine emits events from several threads, one at a time: a listener needs no lock.
``at`` is seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stackcook.bootstrap.base import ResourceTime
from stackcook.bootstrap.findings import NodeFinding
from stackcook.bootstrap.preflight import Inspected
from stackcook.run.plan import Key

PREFLIGHT = "preflight"
"""The step that inspects one node; also the command of a run that ends with it."""

LOOKS = ("reach", PREFLIGHT)
"""Steps that only inspect a node and change nothing on it."""

FINDINGS = "findings"
"""The step that compares all nodes, before the first one is changed."""


class _OfStep:
    """An event of one step: of a node; without one, of all nodes of a stage or zone, or of all."""

    step: str
    node: str
    stage: str

    @property
    def key(self) -> Key:
        """The key of its step in the plan."""
        return (self.node or self.stage, self.step)


@dataclass(frozen=True)
class RunStarted:
    """A command began; ``nodes`` in the order of their stages, ``cloud`` by its name.

    ``deploy`` names the deploy that it is, or that it goes on with; ``digest`` stands for its
    inputs; ``steps`` are the keys of the plan's.
    """

    command: str
    at: float
    nodes: tuple[str, ...]
    stages: tuple[str, ...] = ()
    deploy: str = ""
    digest: str = ""
    manifest: str = ""
    steps: tuple[Key, ...] = ()
    cloud: str = ""


@dataclass(frozen=True)
class StepStarted(_OfStep):
    """A step began: on one node, or (``node`` empty) for many; ``attempt`` counts from 1."""

    step: str
    at: float
    node: str = ""
    stage: str = ""
    attempt: int = 1


@dataclass(frozen=True)
class StepProgress(_OfStep):
    """Something to show on a live line; ``resources`` counts those that Chef looked at so far."""

    step: str
    at: float
    text: str
    node: str = ""
    resources: int = 0
    updated: int = 0
    stage: str = ""


@dataclass(frozen=True)
class StepDone(_OfStep):
    """A step succeeded; ``updated`` of ``total`` Chef resources, if it was a converge.

    ``resources`` are its slowest ones.
    """

    step: str
    at: float
    seconds: float
    node: str = ""
    text: str = ""
    updated: int | None = None
    total: int | None = None
    resources: tuple[ResourceTime, ...] = ()
    stage: str = ""


@dataclass(frozen=True)
class StepRetried(_OfStep):
    """A step failed because of the transient ``cause``, and is retried in ``wait`` seconds."""

    step: str
    at: float
    node: str
    cause: str
    wait: float
    stage: str = ""


@dataclass(frozen=True)
class PlanChanged:
    """Inspecting a node has changed the plan: the names of its remaining steps, then and now."""

    node: str
    at: float
    why: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Findings:
    """What preflight has found on all nodes, before the first one is changed."""

    at: float
    nodes: tuple[Inspected, ...]

    @property
    def findings(self) -> tuple[NodeFinding, ...]:
        """Those of all nodes, in the nodes' order."""
        return tuple(finding for node in self.nodes for finding in node.findings)


@dataclass(frozen=True)
class Notice:
    """A message for the user, shown at once."""

    at: float
    text: str


@dataclass(frozen=True)
class StepFailed(_OfStep):
    """A step failed; ``error`` is one line: where, cause, remedy."""

    step: str
    at: float
    seconds: float
    error: str
    node: str = ""
    log: str = ""
    stage: str = ""


@dataclass(frozen=True)
class NodeSkipped:
    """A node was skipped because of ``why``."""

    node: str
    at: float
    why: str
    stage: str = ""


@dataclass(frozen=True)
class RunDone:
    """The command ended; ``facts`` are for the summary, such as URLs and files.

    ``zones`` says of each zone why it failed; empty if it did not.
    """

    command: str
    at: float
    seconds: float
    exit_code: int
    facts: Mapping[str, str] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)


Event = (
    RunStarted
    | StepStarted
    | StepProgress
    | StepDone
    | StepRetried
    | StepFailed
    | NodeSkipped
    | PlanChanged
    | Findings
    | Notice
    | RunDone
)
Listener = Callable[[Event], None]
