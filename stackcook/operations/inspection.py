"""What preflight has found on the nodes, before the first one is changed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from stackcook.bootstrap import peers, preflight
from stackcook.bootstrap.base import Look
from stackcook.bootstrap.compare import hostnames, siblings
from stackcook.bootstrap.findings import BETWEEN, LOGIN, TOGETHER, NodeFinding, of_error
from stackcook.bootstrap.needs import Wanted, basic
from stackcook.bootstrap.preflight import HostFacts, Inspected
from stackcook.errors import NodeError, StackcookError, Transient, counted
from stackcook.manifest.model import Manifest, Node
from stackcook.parallel import parallel_map
from stackcook.run.executor import Task

REMEDY = "fix this on the node, then run the command again"


class Inspection:
    """The findings of ``nodes``; ``ignore`` has the IDs that do not stop. Thread-safe.

    ``wanted`` gives what the host of a node must have; without it, little is asked. ``known``
    gives the host names that the cloud knows of each node, ``probe`` runs a command on a node, for
    so many seconds, and returns its output. ``named``: new hosts will get the names of their nodes.
    """

    def __init__(
        self,
        manifest: Manifest,
        nodes: Iterable[Node],
        ignore: Collection[str],
        wanted: Callable[[Node], Wanted] | None,
        known: Callable[[], Mapping[str, Collection[str]]],
        probe: Callable[[str, str, float], str],
        *,
        named: bool = False,
    ) -> None:
        self._manifest = manifest
        self._nodes = {node.name: node for node in nodes}
        self._ignore = ignore
        self._want = wanted or partial(basic, manifest)
        self._known, self._probe, self._named = known, probe, named
        self._lock = threading.Lock()
        self._findings: dict[str, tuple[NodeFinding, ...]] = {name: () for name in self._nodes}
        self._facts: dict[str, HostFacts] = {}
        self._wanted: dict[str, Wanted] = {}

    @contextmanager
    def of(self, node: Node) -> Iterator[None]:
        """Log in to ``node`` or inspect it: an error that is raised is a finding, too."""
        try:
            yield
        except StackcookError as error:
            with self._lock:
                self._findings[node.name] = (of_error(error, node.name),)
            raise

    def judge(self, node: Node, look: Look) -> str:
        """What ``look`` has found, in a few words.

        Raises NodeError with all that must be fixed first; Transient if it may pass by itself.
        """
        facts = look.facts
        if facts is None:
            return look.text
        with self.of(node):
            wanted = self._want(node)
        if self._named and not (facts.ours or wanted.lab):
            facts = facts.renamed(node.name)
        found = self._marked(preflight.judge(node.name, facts, wanted))
        with self._lock:
            self._findings[node.name] = found
            self._facts[node.name], self._wanted[node.name] = facts, wanted
        if stopping := [finding for finding in found if finding.stops]:
            passing = all(finding.kind.passing for finding in stopping)
            what = "; ".join(finding.what for finding in stopping)
            raise (Transient if passing else NodeError)(what, where=node.name, remedy=REMEDY)
        return "; ".join((look.text, *_ignored(found)))

    def compare(self, task: Task) -> str:
        """Compare the nodes, show all findings, and say how many there are.

        Raises NodeError if nodes do not fit together.
        """
        with self._lock:
            facts = dict(self._facts)
        # stackcook's own machines are as they should be
        hosts = {node: each for node, each in facts.items() if not self._wanted[node].lab}
        tests = peers.links(random.sample(sorted(hosts), len(hosts)), hosts, self._wanted)
        more = self._marked(self._together(hosts, tests))
        inspected = [self._inspected(name, more, tests) for name in self._nodes]
        task.found(inspected)
        if stopping := [finding for finding in more if finding.stops]:
            raise NodeError("; ".join(f"{f.node}: {f.what}" for f in stopping), remedy=REMEDY)
        every = [finding for node in inspected for finding in node.findings]
        return "; ".join((_summary(every, len(facts)), *_ignored(more)))

    def _inspected(
        self, name: str, more: Iterable[NodeFinding], tests: Mapping[str, peers.Links]
    ) -> Inspected:
        """All that is known of a node; ``more`` are the findings of the comparison."""
        found = (*self._findings[name], *(f for f in more if f.node == name))
        facts, wanted = self._facts.get(name), self._wanted.get(name)
        checked = {finding.id for finding in found}
        if facts and wanted:
            checked |= {*LOGIN, *preflight.checked(facts, wanted)}
            checked |= {*(() if wanted.lab else TOGETHER), *(BETWEEN if name in tests else ())}
        return Inspected(name, found, facts, wanted, frozenset(checked))

    def _together(
        self, facts: Mapping[str, HostFacts], tests: Mapping[str, peers.Links]
    ) -> Iterator[NodeFinding]:
        """What shows only beside other nodes."""
        if not facts:
            return
        names = [node.name for node in self._manifest.nodes]
        yield from hostnames(facts, names, self._known())
        groups: dict[tuple[str, ...], list[str]] = {}
        for name in facts:
            groups.setdefault(self._nodes[name].run_list, []).append(name)
        yield from siblings(facts, groups.values())
        yield from self._connections(tests)

    def _connections(self, tests: Mapping[str, peers.Links]) -> Iterator[NodeFinding]:
        """Let nodes test their connections to each other, all at the same time."""

        def ask(node: str) -> str | NodeFinding:
            command = peers.command(node, tests[node], self._wanted, len(tests))
            try:
                return self._probe(node, command, peers.seconds(len(tests)) + 15)
            except NodeError as error:
                return NodeFinding("peers", node, error.what)

        found = dict(zip(tests, parallel_map(ask, tests, workers=128)))
        yield from (each for each in found.values() if isinstance(each, NodeFinding))
        outputs = {node: each for node, each in found.items() if isinstance(each, str)}
        yield from peers.judge(outputs, self._wanted)

    def _marked(self, findings: Iterable[NodeFinding]) -> tuple[NodeFinding, ...]:
        return tuple(replace(f, ignored=f.id in self._ignore) for f in findings)


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
