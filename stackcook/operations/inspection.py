"""What preflight has found on the nodes, before the first one is changed."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from stackcook.bootstrap import preflight
from stackcook.bootstrap.base import Look
from stackcook.bootstrap.findings import NodeFinding, of_error
from stackcook.bootstrap.preflight import HostFacts
from stackcook.errors import NodeError, StackcookError, Transient, counted
from stackcook.manifest.model import Node
from stackcook.run.executor import Task

REMEDY = "fix this on the node, then run the command again"


class Inspection:
    """The findings of ``nodes``; ``ignore`` has the IDs that do not stop. Thread-safe."""

    def __init__(self, nodes: Iterable[Node], ignore: Collection[str] = ()) -> None:
        self._ignore = ignore
        self._lock = threading.Lock()
        self._findings: dict[str, tuple[NodeFinding, ...]] = {node.name: () for node in nodes}
        self._facts: dict[str, HostFacts] = {}

    @contextmanager
    def of(self, node: Node) -> Iterator[None]:
        """Log in to ``node`` or inspect it: an error that is raised is a finding, too."""
        try:
            yield
        except StackcookError as error:
            self._keep(node.name, (of_error(error, node.name),))
            raise

    def judge(self, node: Node, look: Look) -> str:
        """What ``look`` has found, in a few words.

        Raises NodeError with all that must be fixed first; Transient if it may pass by itself.
        """
        facts = look.facts
        if facts is None:
            return look.text
        found = self._marked(preflight.judge(node.name, facts))
        self._keep(node.name, found, facts)
        if stopping := [finding for finding in found if finding.stops]:
            passing = all(finding.kind.passing for finding in stopping)
            what = "; ".join(finding.what for finding in stopping)
            raise (Transient if passing else NodeError)(what, where=node.name, remedy=REMEDY)
        return "; ".join((look.text, *_ignored(found)))

    def compare(self, task: Task) -> str:
        """Show all findings, and say how many there are."""
        with self._lock:
            every = [finding for found in self._findings.values() for finding in found]
            inspected = len(self._facts)
        task.found(every)
        return _summary(every, inspected)

    def _marked(self, findings: Iterable[NodeFinding]) -> tuple[NodeFinding, ...]:
        return tuple(replace(f, ignored=f.id in self._ignore) for f in findings)

    def _keep(
        self, node: str, findings: tuple[NodeFinding, ...], facts: HostFacts | None = None
    ) -> None:
        with self._lock:
            self._findings[node] = findings
            if facts:
                self._facts[node] = facts


def _ignored(findings: Iterable[NodeFinding]) -> Iterator[str]:
    """What is ignored, for the record of the run."""
    yield from (f"ignored: {f.what} ({f.id})" for f in findings if f.ignored)


def _summary(findings: Iterable[NodeFinding], inspected: int) -> str:
    levels = [finding.level for finding in findings]
    counts = [
        f"{levels.count('ignored')} ignored" if level == "ignored" else counted(count, level)
        for level in ("error", "warning", "ignored")
        if (count := levels.count(level))
    ]
    return f"{counted(inspected, 'node')} inspected: {', '.join(counts) or 'nothing found'}"
