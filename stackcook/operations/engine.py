"""Walks a plan: what is for all nodes first, then every node in its turn, and the proof at the end.

The engine knows the order and nothing else: what is to be done, the :class:`Site` observes; how it
went, the listeners are told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from stackcook.bootstrap.base import Deploy
from stackcook.run.events import Listener, RunDone, RunStarted
from stackcook.run.identity import LastDeploy, new_id
from stackcook.operations.nodes import NodeRun
from stackcook.run.plan import Facts, plan
from stackcook.operations.site import Site
from stackcook.operations.steps import BACKOFF, Halt, Say, Steps
from stackcook.operations.walk import SPREAD
from stackcook.errors import ExitCode, StackcookError, VerifyError
from stackcook.machines.base import ABSENT
from stackcook.manifest.model import MachineKind, Manifest, Node
from stackcook.meanwhile import Meanwhile
from stackcook.remote.login import forget


class Engine:
    """One run over one manifest. ``parallel`` is how many nodes at once, 0: as many as is good.

    ``backoff`` and ``spread`` are seconds, as in :mod:`steps` and :mod:`walk`.
    """

    def __init__(
        self,
        manifest: Manifest,
        site: Site,
        listeners: tuple[Listener, ...],
        *,
        parallel: int = 0,
        clock: Callable[[], float] = time.time,
        backoff: Sequence[float] = BACKOFF,
        spread: float = SPREAD,
    ) -> None:
        self._manifest = manifest
        self._site = site
        self._steps = Steps(listeners, manifest.state, clock, backoff)
        self._nodes = NodeRun(manifest, site, self._steps, parallel=parallel, spread=spread)

    def deploy(
        self, only: Collection[str] = (), *, last: LastDeploy | None = None, anew: bool = False
    ) -> ExitCode:
        """All the way: from the check to the verified cloud; for all nodes, or those in ``only``.

        Goes on with the ``last`` deploy where that is possible, unless ``anew``: what it has
        converged is left at that.
        """
        digest = self._site.digest()
        going_on = None if anew else last and last.to_go_on(digest, self._steps.clock())
        id = going_on.id if going_on else new_id("d", self._steps.clock())
        nodes = tuple(n for n in self._manifest.nodes if not only or n.name in only)
        deploy = Deploy(id, _names(nodes))

        def work() -> ExitCode:
            self._steps.for_all("check", lambda _: self._site.check())
            self._steps.for_all("secrets", lambda _: self._site.secrets())
            self._chef_server()
            self._steps.for_all("machines", lambda say: self._machines(nodes, say))
            done = self._done(nodes, deploy, going_on) if going_on else ()
            schedule, reached = self._nodes.reach(nodes, done)
            self._steps.for_all("upload", self._site.upload, again=True)
            ahead = self._site.ahead(nodes)
            self._nodes.walk(schedule, reached, replace(deploy, ahead=ahead))
            if self._manifest.knife:
                self._steps.for_all("knife", self._site.knife)
            self._verify(tuple(schedule.failed), deploy)
            return ExitCode.WITHIN_BUDGET if schedule.failed else ExitCode.DONE

        return self._run("deploy", work, only, id, digest)

    def converge(self, only: Collection[str] = (), *, twice: bool = False) -> ExitCode:
        """Run chef-client on all nodes or those in ``only``; if ``twice``, the second must idle."""
        deploy = Deploy(new_id("c", self._steps.clock()))

        def work() -> ExitCode:
            self._chef_server()
            wanted = [node for node in self._manifest.nodes if not only or node.name in only]
            schedule, reached = self._nodes.reach(wanted, bootstrapped=True)
            self._nodes.walk(schedule, reached, replace(deploy, nodes=_names(wanted)))
            failed = tuple(schedule.failed)
            if twice:
                left = [each for name, each in reached.items() if name not in failed]
                self._nodes.again([each.node for each in left], reached, deploy)
            self._site.settle()
            return ExitCode.WITHIN_BUDGET if failed else ExitCode.DONE

        return self._run("converge", work, only, deploy.id)

    def _run(
        self,
        command: str,
        work: Callable[[], ExitCode],
        only: Collection[str],
        deploy: str,
        digest: str = "",
    ) -> ExitCode:
        started = self._steps.clock()
        made = plan(self._manifest, Facts(), only)
        names = tuple(node.name for node in made.nodes)
        stages = tuple(stage.name for stage in made.stages)
        path = str(self._manifest.path)
        self._steps.emit(RunStarted(command, started, names, stages, deploy, digest, path))
        code, facts = ExitCode.BUG, {}
        try:
            code = work()
            facts = dict(self._site.facts())
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

    def _machines(self, nodes: Sequence[Node], say: Say) -> str:
        self._forget_keys(nodes)
        self._site.machines.up(nodes, say)
        names = ", ".join(node.name for node in nodes) if len(nodes) < 10 else f"{len(nodes)} nodes"
        return f"{'up' if self._made_by_us else 'already there'}: {names}"

    @property
    def _made_by_us(self) -> bool:
        return self._manifest.machines is MachineKind.VAGRANT

    def _forget_keys(self, nodes: Sequence[Node]) -> None:
        """A machine that we are about to make has a host key that nobody has seen yet.

        Not so a host that is there already: it may only be off, and somebody else answer for it.
        """
        if not self._made_by_us:
            return
        states = self._site.machines.states(nodes)
        absent = [node for node in nodes if states[node.name] == ABSENT]
        for host in self._site.machines.hosts(absent).values() if absent else ():
            forget(host.alias, self._manifest.state / "known_hosts")

    def _done(self, nodes: Sequence[Node], deploy: Deploy, last: LastDeploy) -> Collection[str]:
        """The nodes that ``last`` is done with; not those of which the Chef server has lost that.

        It has, of its last second, if it was killed.
        """
        done = [node for node in nodes if node.name in last.done]
        return _names(done).difference(self._site.silent(done, deploy) if done else ())

    def _verify(self, failed: Collection[str], deploy: Deploy) -> None:
        def work(_: Say) -> str:
            settled = Meanwhile(self._site.settle)  # verification writes nothing there
            report = self._site.verify(without=failed, deploy=deploy)
            for check in report.failures:
                self._steps.failed("verify", VerifyError(str(check)), check.node)
            count = f"{len(report.checks)} checks"
            if not report.ok:
                raise VerifyError(
                    f"{len(report.failures)} of {count} failed",
                    remedy="look further as said above, then run `stackcook verify`",
                )
            settled.result()
            return f"{count}, all well"

        self._steps.for_all("verify", work, again=True)


def _names(nodes: Sequence[Node]) -> frozenset[str]:
    return frozenset(node.name for node in nodes)
