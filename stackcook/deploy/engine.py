"""Walks a plan: steps for all nodes in order, stage by stage, a stage's nodes in parallel.

The engine knows the order and nothing else: what is to be done, the :class:`Site` observes; how it
went, the listeners are told.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from stackcook.bootstrap.base import ConvergeResult, Standing
from stackcook.deploy.events import Listener, NodeSkipped, RunDone, RunStarted
from stackcook.deploy.fanout import fan_out
from stackcook.deploy.plan import Facts, StagePlan, plan
from stackcook.deploy.site import Site
from stackcook.deploy.steps import Halt, Say, Steps
from stackcook.errors import ExitCode, NodeError, StackcookError, VerifyError
from stackcook.manifest.model import Manifest, Node
from stackcook.remote import Host


def default_parallel(nodes: int) -> int:
    """How many nodes at once, if nobody says: what this machine's cores can feed."""
    return max(1, min(nodes, 8 * (os.cpu_count() or 1)))


@dataclass(frozen=True)
class Turn:
    """How the nodes are gone through: whether new ones are bootstrapped, and what may change."""

    bootstrap: bool = True
    idle: bool = False
    """Chef may change nothing: the second of two runs."""


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
            self._steps.for_all("upload", self._site.upload)
            self._steps.for_all("machines", self._machines)
            self._stages(Turn())
            self._verify()

        return self._run("deploy", work)

    def converge(self, only: Collection[str] = (), *, twice: bool = False) -> ExitCode:
        """Run chef-client on all nodes or those in ``only``; if ``twice``, the second must idle."""

        def work() -> None:
            self._chef_server()
            for idle in (False, True) if twice else (False,):
                self._stages(Turn(bootstrap=False, idle=idle), only)

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
        self._site.machines.up(self._manifest.nodes, say)
        return f"{', '.join(node.name for node in self._manifest.nodes)} up"

    def _stages(self, turn: Turn, only: Collection[str] = ()) -> None:
        """Stage after stage; raises Halt after the first in which a node failed."""
        stages = plan(self._manifest, Facts(), only).stages
        hosts = self._site.machines.hosts(self._manifest.nodes)
        for number, stage in enumerate(stages):
            if stage.after and not turn.idle:
                self._steps.for_all("gate", lambda _: self._site.gate(stage.after), stage.name)
            if not self._stage(stage, hosts, turn):
                for later in stages[number + 1 :]:
                    self._skip(later, f"a node of stage {stage.name} failed")
                raise Halt(ExitCode.NODES)

    def _stage(self, stage: StagePlan, hosts: Mapping[str, Host], turn: Turn) -> bool:
        """Whether all went well."""

        def interrupt() -> None:
            self._steps.mute(True)
            self._site.bootstrap().interrupt()

        results = fan_out(
            tuple(part.node for part in stage.nodes),
            lambda node: self._node(node, stage.name, hosts[node.name], turn),
            parallel=self._parallel or default_parallel(len(stage.nodes)),
            on_interrupt=interrupt,
        )
        for result in results:
            if result.error:
                raise result.error  # of the listeners: a step's own are told already
        return all(result.value for result in results)

    def _skip(self, stage: StagePlan, why: str) -> None:
        for part in stage.nodes:
            self._steps.emit(NodeSkipped(part.node.name, self._steps.clock(), why))

    def _node(self, node: Node, stage: str, host: Host, turn: Turn) -> bool:
        """Bootstrap or converge one node; whether that went well."""
        chef = self._site.bootstrap()

        def reach(_: Say) -> Standing:
            standing = chef.standing(node, host)
            if standing is not Standing.KNOWN and not turn.bootstrap:
                raise NodeError(
                    "it is not bootstrapped yet", where=node.name, remedy="run `stackcook deploy`"
                )
            return standing

        def converge(say: Say) -> ConvergeResult:
            result = chef.converge(node, host, say)
            if turn.idle and result.updated:
                raise NodeError(
                    f"the second converge changed {result.updated} of {result.total} resources"
                    f" ({', '.join(result.changed)})",
                    where=node.name,
                    remedy="make these resources look at what they change",
                )
            return result

        standing = self._steps.on_node("reach", node.name, stage, reach)
        if standing is None:
            return False
        if standing is Standing.KNOWN:
            step = "converge again" if turn.idle else "converge"
            return self._steps.on_node(step, node.name, stage, converge) is not None
        bootstrap = self._steps.on_node(
            "bootstrap", node.name, stage, lambda say: chef.bootstrap(node, host, say)
        )
        return bootstrap is not None

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
