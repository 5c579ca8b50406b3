"""What deploy and converge share: the steps that both have, and the actions behind them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from stackcook.bootstrap.base import ConvergeResult, Deploy, Registration
from stackcook.bootstrap.needs import Wanted
from stackcook.bootstrap.steps import steps_of
from stackcook.manifest.model import Manifest, Node
from stackcook.remote.base import Host
from stackcook.operations.inspection import Inspection
from stackcook.run.events import FINDINGS
from stackcook.run.executor import Action, NewPlan, Task
from stackcook.run.plan import RUN_LISTS, Key, Step
from stackcook.snapshot.store import Start

if TYPE_CHECKING:  # to print a plan, the libraries for SSH and OpenStack are not loaded
    from stackcook.operations.site import Site

NODE_STEPS = (
    "record",
    "hostname",
    "packages",
    "install",
    "register",
    "interfaces",
    "prepare",
    "bootstrap",
    "converge",
)
"""The steps that the node's bootstrap carries out."""

_WHY = {
    Registration.NEW: "it is not registered with the Chef server",
    Registration.PARTIAL: "its registration with the Chef server is incomplete",
    Registration.REGISTERED: "it is registered with the Chef server already",
}


@dataclass(frozen=True)
class Facts:
    """What was observed before a plan is made; fields that were not needed are empty.

    ``machines`` are the machines' states, ``registered`` the nodes that the Chef server has,
    ``recipes`` those of each node that need no other node, ``done`` the nodes that the deploy which
    is resumed has finished, ``outdated`` the nodes whose run list, environment or policy on the
    Chef server is not the manifest's. ``bundled``: nodes get their packages from a bundle.
    ``named``: new hosts get the names of their nodes. ``start`` is the snapshot that is restored
    first; the other fields say what is there then. ``in_turn`` has the controllers that are a
    cluster: each with all of its cloud, in the order in which they converge. ``renewals`` say which
    keys and certificates are replaced because they are due.
    """

    machines: Mapping[str, str] = field(default_factory=dict)
    registered: Collection[str] = frozenset()
    recipes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    done: frozenset[str] = frozenset()
    outdated: Collection[str] = frozenset()
    bundled: bool = False
    named: bool = False
    start: Start | None = None
    in_turn: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    renewals: tuple[str, ...] = ()


@dataclass(frozen=True)
class StageNodes:
    """The nodes of one stage that a plan includes, and all nodes of its zone's stages before it."""

    name: str
    nodes: tuple[Node, ...]
    before: tuple[Node, ...]
    zone: str = ""


@dataclass(frozen=True)
class ZoneStages:
    """The stages of one zone; of all nodes (``name`` empty) if the manifest has no zones."""

    name: str
    stages: tuple[StageNodes, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that the plan includes."""
        return tuple(node for stage in self.stages for node in stage.nodes)


def by_zone(stages: Iterable[StageNodes]) -> tuple[ZoneStages, ...]:
    """The zones in order, each with its stages."""
    grouped = itertools.groupby(stages, key=lambda stage: stage.zone)
    return tuple(ZoneStages(name, tuple(its)) for name, its in grouped)


def staged(manifest: Manifest, only: Collection[str] = ()) -> tuple[StageNodes, ...]:
    """The stages that have nodes, or some of the nodes ``only``, in order.

    A stage waits for all nodes of the stages before it, whether or not they have a part.
    """
    found: list[StageNodes] = []
    before: dict[str, tuple[Node, ...]] = {}
    for stage, nodes in manifest.staged():
        mine = tuple(node for node in nodes if not only or node.name in only)
        earlier = before.get(stage.zone, ())
        if mine:
            found.append(StageNodes(stage.name, mine, earlier, stage.zone))
        before[stage.zone] = earlier + nodes
    return tuple(found)


def server_steps(after: tuple[Key, ...] = ()) -> tuple[Step, Step]:
    """Network and Chef server: what must be there before nodes are reached."""
    network = Step("network", "set up the network of the machines", after=after)
    does = "start the Chef server, or check that it responds"
    return network, Step("chef server", does, after=(network.key,))


def save_step(after: tuple[Key, ...], after_nodes: tuple[str, ...] = ()) -> Step:
    """The embedded Chef server saves now and then: a kill would lose what it has not saved yet."""
    does = "wait until the Chef server has saved its data"
    return Step("save", does, after=after, after_nodes=after_nodes, changes=False)


def reach_steps(stages: Sequence[StageNodes], after: Key) -> Iterator[Step]:
    """Log in to every node, before anything is changed on one."""
    for stage in stages:
        for node in stage.nodes:
            does = "wait until SSH responds, and log in"
            if node.provider:
                does = "nothing: its provider creates it"
            yield Step(
                "reach",
                does,
                node.name,
                stage.name,
                after=(after,),
                retry=True,
                changes=False,
                zone=stage.zone,
            )


def named_or_counted(names: Sequence[str], noun: str = "nodes", most: int = 9) -> str:
    """The names; only how many there are if these are more than ``most``."""
    return ", ".join(names) if len(names) <= most else f"{len(names)} {noun}"


def run_lists_step(stages: Sequence[StageNodes], facts: Facts, *after: Key) -> Step:
    """Set run lists and addresses of nodes that are registered, before the first stage begins.

    Nodes search for each other by run list, and use the address that they find. A converge also
    sets those of its own node, but this is too late for a search by a node of an earlier stage.
    """
    names = [node.name for stage in stages for node in stage.nodes if node.name in facts.outdated]
    which = f"of {named_or_counted(names)}" if names else "that differ from the manifest"
    does = f"set the run lists, environments and addresses {which}"
    return Step("run lists", does, after=after, retry=True)


def firewall_step(stages: Sequence[StageNodes], after: Key) -> Step:
    """Let the nodes through the firewalls of those that the plan leaves out.

    All others learn of them when they converge.
    """
    names = [node.name for stage in stages for node in stage.nodes]
    does = f"let {named_or_counted(names)} through the firewalls of the nodes that are left out"
    return Step("firewall", does, after=(after,), retry=True)


def gate_step(stage: StageNodes, after: Key, *, converged: Sequence[Key] = ()) -> Step | None:
    """Wait for the services of the stages before, if there are any.

    It begins once their nodes are done, or after the steps ``converged`` if these are given.
    """
    if not stage.before:
        return None
    names = tuple(node.name for node in stage.before)
    return Step(
        "gate",
        f"wait until the services on {named_or_counted(names, most=4)} respond",
        stage=stage.name,
        after=(after, *converged),
        after_nodes=() if converged else names,
        retry=True,
        changes=False,
        zone=stage.zone,
    )


def preflight_steps(zone: ZoneStages, done: Collection[str] = frozenset()) -> tuple[Step, ...]:
    """Inspect every node, then compare them; what follows does so once no node is unfit.

    The other steps of a node are as :func:`chef_steps` says, or change by what it finds.
    """
    steps = []
    for stage in zone.stages:
        for node in stage.nodes:
            does = "inspect it"
            if node.name in done:
                does = "check that it has not changed since the last run"
            after = ((node.name, "reach"),)
            steps.append(
                Step(
                    "preflight",
                    does,
                    node.name,
                    stage.name,
                    after,
                    retry=True,
                    changes=False,
                    zone=zone.name,
                )
            )
    findings = Step(
        FINDINGS,
        "show what preflight has found, and stop if a node is not ready",
        stage=zone.name,
        after=tuple(step.key for step in steps),
        retry=True,
        changes=False,
        waits_for_retries=False,
        despite_failures=True,
        zone=zone.name,
    )
    return (*steps, findings)


def chef_steps(
    manifest: Manifest,
    node: Node,
    stage: StageNodes,
    facts: Facts,
    *,
    registered: bool,
    gated: bool = True,
) -> tuple[Step, ...]:
    """The steps on a node, once all run lists are set; its converge waits for the stage's gate.

    If the plan has no gate for the stage (``gated``), it waits for the nodes before. Controllers
    that are a cluster converge one after the other: so its majority always works. The first one
    waits until the Chef server has all of them, because they search for each other.
    """
    wanted = steps_of(
        node,
        manifest,
        registered=registered,
        recipes=facts.recipes.get(node.name, ()),
        bundled=facts.bundled,
        named=facts.named,
    )
    steps: list[Step] = []
    after: tuple[Key, ...] = (node.name, "preflight"), RUN_LISTS
    for each in wanted:
        step = Step(
            each.name,
            each.does,
            node.name,
            stage.name,
            after=after,
            timeout=each.timeout,
            retry=True,
            zone=stage.zone,
        )
        steps.append(step)
        after = (step.key,)
    *others, converge = steps
    if stage.before and gated:
        converge = replace(converge, after=(*converge.after, (stage.name, "gate")))
    elif stage.before:
        converge = replace(converge, after_nodes=tuple(each.name for each in stage.before))
    if cluster := facts.in_turn.get(node.name):
        converge = _in_turn(converge, manifest, cluster, facts)
    return (*others, converge)


def _in_turn(converge: Step, manifest: Manifest, cluster: Sequence[str], facts: Facts) -> Step:
    """The converge of one of the controllers ``cluster``, after those before it."""
    earlier = cluster[: cluster.index(converge.node)]
    others = (manifest.node(name) for name in cluster if name != converge.node)
    registered = facts.done.union(facts.registered)
    new = (other for other in others if other and other.name not in registered)
    made = [
        (other.name, "register")
        for other in new
        if any(step.name == "register" for step in steps_of(other, manifest, registered=False))
    ]
    return replace(
        converge,
        does=f"{converge.does}, after {earlier[-1]}" if earlier else converge.does,
        after=(*converge.after, *made),
        after_nodes=(*converge.after_nodes, *earlier),
    )


def converges_last(steps: Iterable[Sequence[Step]], facts: Facts) -> Iterator[Step]:
    """The steps of the nodes of a stage, node by node.

    With controllers that converge in turn, all other steps come first: the converges wait for them.
    """
    nodes = [each for each in steps if each]
    if not any(each[-1].node in facts.in_turn for each in nodes):
        yield from itertools.chain.from_iterable(nodes)
        return
    yield from (step for each in nodes for step in each[:-1])
    last = (each[-1] for each in nodes)
    yield from sorted(last, key=lambda step: _turn(step.node, facts))


def _turn(node: str, facts: Facts) -> int:
    cluster = facts.in_turn.get(node)
    return cluster.index(node) if cluster else 0


class Actions:
    """The actions of one run over ``stages`` that deploy and converge share.

    ``ignore`` has the IDs of findings that do not stop it. ``wanted`` says what the host of a
    node must have; without it, nothing is asked that only the Chef repository tells.
    """

    def __init__(
        self,
        manifest: Manifest,
        site: Site,
        stages: Sequence[StageNodes],
        facts: Facts,
        deploy: Deploy,
        ignore: Collection[str] = (),
        wanted: Callable[[Node], Wanted] | None = None,
    ) -> None:
        self._manifest = manifest
        self._site = site
        self._facts = facts
        self._deploy = deploy
        self._stage = {node.name: stage for stage in stages for node in stage.nodes}
        self._nodes = {node.name: node for stage in stages for node in stage.nodes}
        self._inspections = {
            zone.name: Inspection(
                manifest.zone(zone.name),
                zone.nodes,
                ignore,
                wanted,
                site.hostnames,
                self._probe,
                named=facts.named,
            )
            for zone in by_zone(stages)
        }
        self._before = {stage.name: stage.before for stage in stages}
        self._lock = threading.Lock()
        self._hosts: dict[str, Host] = {}
        self._silent: Collection[str] | None = None

    def by_name(self) -> dict[str, Action]:
        """Each under the name of its step."""
        return {
            "network": self._network,
            "chef server": self._chef_server,
            "save": self._save,
            "run lists": lambda _: self._site.set_run_lists(tuple(self._nodes.values())),
            "firewall": lambda _: self._site.let_in(tuple(self._nodes.values())),
            "reach": self._reach,
            "preflight": self._preflight,
            FINDINGS: self._compare,
            "gate": self._gate,
            **dict.fromkeys(NODE_STEPS, self._perform),
        }

    def _network(self, _: Task) -> str:
        self._site.machines.prepare()
        networks = (self._manifest.network, self._manifest.external_network)
        return ", ".join(map(str, filter(None, networks))) or "existing network of the hosts"

    def _chef_server(self, _: Task) -> str:
        found = self._site.chef_server()
        self._site.check_tls()  # what is on the nodes is known only now
        return found

    def _save(self, _: Task) -> str:
        self._site.settle()
        return ""

    def find_hosts(self, nodes: Sequence[Node]) -> None:
        """Ask the machines once how SSH reaches the nodes, before the first one is reached.

        Raises what they do: no node is to blame for it.
        """
        self._hosts.update(self._site.machines.hosts(nodes))

    def _reach(self, task: Task) -> str:
        name = task.step.node
        with self._inspections[task.step.zone].of(self._nodes[name]):
            self._site.bootstrap().reach(self._nodes[name], self._hosts[name])
        return ""

    def _preflight(self, task: Task) -> str | NewPlan:
        name = task.step.node
        node, stage = self._nodes[name], self._stage[name]
        inspection = self._inspections[task.step.zone]
        with inspection.of(node):
            found = self._site.bootstrap().look(node, self._hosts[name])
        text = inspection.judge(node, found)
        registered = found.registration is Registration.REGISTERED
        if registered and name in self._facts.done:
            if name not in self._lost():
                return text
            why = "the Chef server no longer has the record of its converge"
        elif registered == (name in self._facts.registered) and name not in self._facts.done:
            return text
        else:
            why = _WHY[found.registration]
        gated = name not in self._facts.done
        steps = chef_steps(
            self._manifest, node, stage, self._facts, registered=registered, gated=gated
        )
        return NewPlan(text, why, steps)

    def _compare(self, task: Task) -> str:
        return self._inspections[task.step.zone].compare(task)

    def _probe(self, name: str, command: str, timeout: float) -> str:
        return self._site.bootstrap().probe(self._nodes[name], self._hosts[name], command, timeout)

    def _lost(self) -> Collection[str]:
        """Of the nodes that are done, those whose report a killed Chef server has lost."""
        with self._lock:
            if self._silent is None:
                done = [node for node in self._nodes.values() if node.name in self._facts.done]
                self._silent = self._site.silent(done, self._deploy)
        return self._silent

    def _gate(self, task: Task) -> str:
        before = self._before[task.step.stage]
        return self._site.gate([n for n in before if n.name not in task.failed], self._deploy)

    def _perform(self, task: Task) -> ConvergeResult | str:
        step = task.step
        assert step.timeout is not None
        return self._site.bootstrap().perform(
            step.name,
            self._nodes[step.node],
            self._hosts[step.node],
            self._deploy,
            step.timeout,
            task.say,
        )
