"""Walks a plan: steps for all nodes in order, stage by stage, a stage's nodes in parallel.

The engine knows the order and nothing else: what is to be done, the :class:`Site` observes; how it
went, the listeners are told.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from stackcook.bootstrap.base import ConvergeResult, Standing
from stackcook.deploy.events import Listener, NodeSkipped, RunDone, RunStarted
from stackcook.deploy.fanout import fan_out
from stackcook.deploy.plan import Facts, StagePlan, plan
from stackcook.deploy.site import Site
from stackcook.deploy.steps import Halt, Say, Steps
from stackcook.errors import ExitCode, NodeError, StackcookError, VerifyError
from stackcook.machines.base import ABSENT
from stackcook.manifest.model import MachineKind, Manifest, Node
from stackcook.remote.base import Host
from stackcook.remote.hostkeys import forget

T = TypeVar("T")
R = TypeVar("R")


def default_parallel(nodes: int) -> int:
    """How many nodes at once, if nobody says: what this machine's cores can feed."""
    return max(1, min(nodes, 8 * (os.cpu_count() or 1)))


@dataclass(frozen=True)
class Reached:
    """A node that SSH has reached, and what the Chef server and it know of each other."""

    node: Node
    host: Host
    standing: Standing


class Engine:
    """One run over one manifest. ``parallel`` is how many nodes at once, 0: as many as is good."""

    def __init__(
        self,
        manifest: Manifest,
        site: Site,
        listeners: tuple[Listener, ...],
        *,
        parallel: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._manifest = manifest
        self._site = site
        self._parallel = parallel
        self._steps = Steps(listeners, manifest.state, clock)

    def deploy(self) -> ExitCode:
        """All the way: from the check to the verified cloud."""

        def work() -> None:
            self._steps.for_all("check", lambda _: self._site.check())
            self._steps.for_all("secrets", lambda _: self._site.secrets())
            self._chef_server()
            self._steps.for_all("machines", self._machines)
            nodes = self._reach(self._manifest.nodes)  # all answer before anything is changed
            self._steps.for_all("upload", self._site.upload)
            self._stages(nodes)
            if self._manifest.knife:
                self._steps.for_all("knife", self._site.knife)
            self._verify()

        return self._run("deploy", work)

    def converge(self, only: Collection[str] = (), *, twice: bool = False) -> ExitCode:
        """Run chef-client on all nodes or those in ``only``; if ``twice``, the second must idle."""

        def work() -> None:
            self._chef_server()
            wanted = [node for node in self._manifest.nodes if not only or node.name in only]
            nodes = self._reach(wanted, bootstrapped=True)
            self._stages(nodes)
            if twice:
                self._stages(nodes, again=True)

        return self._run("converge", work, only)

    def _run(self, command: str, work: Callable[[], None], only: Collection[str] = ()) -> ExitCode:
        started = self._steps.clock()
        made = plan(self._manifest, Facts(), only)
        names = tuple(node.name for node in made.nodes)
        self._steps.emit(RunStarted(command, started, names, tuple(s.name for s in made.stages)))
        code, facts = ExitCode.BUG, {}
        try:
            work()
            self._site.settle()
            code, facts = ExitCode.DONE, dict(self._site.facts())
        except Halt as halt:
            code = halt.code
        except StackcookError as error:
            self._steps.failed(command, error)
            code = error.exit_code
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
            raise
        finally:
            self._steps.mute(False)
            now = self._steps.clock()
            self._steps.emit(RunDone(command, now, now - started, code, facts))
        return code

    def _chef_server(self) -> None:
        def network(_: Say) -> str:
            self._site.machines.prepare()
            return str(self._manifest.network or "the hosts' own")

        self._steps.for_all("network", network)
        self._steps.for_all("chef server", lambda _: self._site.chef_server())

    def _machines(self, say: Say) -> str:
        self._forget_keys()
        self._site.machines.up(self._manifest.nodes, say)
        names = ", ".join(node.name for node in self._manifest.nodes)
        return f"{'up' if self._made_by_us else 'already there'}: {names}"

    @property
    def _made_by_us(self) -> bool:
        return self._manifest.machines is MachineKind.VAGRANT

    def _forget_keys(self) -> None:
        """A machine that we are about to make has a host key that nobody has seen yet.

        Not so a host that is there already: it may only be off, and somebody else answer for it.
        """
        if not self._made_by_us:
            return
        states = self._site.machines.states(self._manifest.nodes)
        absent = [node for node in self._manifest.nodes if states[node.name] == ABSENT]
        for host in self._site.machines.hosts(absent).values() if absent else ():
            forget(host.alias, self._manifest.state / "known_hosts")

    def _reach(self, nodes: Sequence[Node], *, bootstrapped: bool = False) -> dict[str, Reached]:
        """The nodes by name, all reached; raises Halt if one is not, or not ``bootstrapped``."""
        hosts = self._site.machines.hosts(nodes)
        chef = self._site.bootstrap()

        def reach(node: Node) -> Reached:
            standing = chef.standing(node, hosts[node.name])
            if bootstrapped and standing is not Standing.KNOWN:
                what = "it is not bootstrapped yet"
                raise NodeError(what, where=node.name, remedy="run `stackcook deploy`")
            return Reached(node, hosts[node.name], standing)

        def step(node: Node) -> Reached | None:
            return self._steps.on_node("reach", node.name, "", lambda _: reach(node))

        reached = self._fan_out(nodes, step)
        if not all(reached):
            raise Halt(ExitCode.NODES)
        return {each.node.name: each for each in reached if each}

    def _stages(self, nodes: Mapping[str, Reached], *, again: bool = False) -> None:
        """Stage after stage; raises Halt after the first in which a node failed.

        ``again``: for the second of two runs, in which Chef may change nothing.
        """
        stages = plan(self._manifest, Facts(), nodes).stages
        for number, stage in enumerate(stages):
            if stage.after and not again:
                self._gate(stage)
            mine = tuple(nodes[part.node.name] for part in stage.nodes)
            results = self._fan_out(mine, lambda each: self._node(each, stage.name, again))
            if not all(results):
                for later in stages[number + 1 :]:
                    self._skip(later, f"a node of stage {stage.name} failed")
                raise Halt(ExitCode.NODES)

    def _gate(self, stage: StagePlan) -> None:
        self._steps.for_all("gate", lambda _: self._site.gate(stage.after), stage.name)

    def _skip(self, stage: StagePlan, why: str) -> None:
        for part in stage.nodes:
            self._steps.emit(NodeSkipped(part.node.name, self._steps.clock(), why))

    def _fan_out(self, items: Sequence[T], work: Callable[[T], R]) -> tuple[R | None, ...]:
        def interrupt() -> None:
            self._steps.mute(True)
            self._site.bootstrap().interrupt()

        parallel = self._parallel or default_parallel(len(items))
        results = fan_out(items, work, parallel=parallel, on_interrupt=interrupt)
        for result in results:
            if result.error:
                raise result.error  # a listener's; a step's own has been told
        return tuple(result.value for result in results)

    def _node(self, each: Reached, stage: str, again: bool) -> bool:
        """Bootstrap or converge one node; whether that went well."""
        chef, node, host = self._site.bootstrap(), each.node, each.host

        def converge(say: Say) -> ConvergeResult:
            result = chef.converge(node, host, say)
            if again and result.updated:
                raise _restless(node, result)
            return result

        def bootstrap(say: Say) -> ConvergeResult:
            return chef.bootstrap(node, host, say)

        if each.standing is Standing.KNOWN:
            step, work = "converge again" if again else "converge", converge
        else:
            step, work = "bootstrap", bootstrap
        return self._steps.on_node(step, node.name, stage, work) is not None

    def _verify(self) -> None:
        def work(_: Say) -> str:
            report = self._site.verify()
            for check in report.failures:
                self._steps.failed("verify", VerifyError(str(check)), check.node)
            count = f"{len(report.checks)} checks"
            if not report.ok:
                raise VerifyError(
                    f"{len(report.failures)} of {count} failed",
                    remedy="look further as said above, then run `stackcook verify`",
                )
            return f"{count}, all well"

        self._steps.for_all("verify", work)


def _restless(node: Node, result: ConvergeResult) -> NodeError:
    changed = ", ".join(result.changed)
    return NodeError(
        f"the second converge changed {result.updated} of {result.total} resources ({changed})",
        where=node.name,
        remedy="make these resources look at what they change",
    )
