"""Runs to report on: an engine over a fake site, the record of runs as its listener."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stackcook.bootstrap.base import ConvergeResult, Deploy, ResourceTime
from stackcook.bootstrap.output import ChefOutput
from stackcook.run import history
from stackcook.operations.deploy import deploy
from stackcook.operations.runner import Settings
from stackcook.remote.base import Host
from stackcook.retry import Backoff
from stackcook.run.record import last_deploy
from stackcook.run.state import State
from stackcook.errors import ExitCode, NodeError
from stackcook.manifest.model import Amount, FailureBudget, Manifest, Node
from stackcook.report import run as report
from stackcook.report.run import RunReport
from tests.fakes import AT, FakeBootstrap, FakeSite, Say, two_stages

BROKEN = (Path(__file__).parent / "unit/bootstrap/broken.txt").read_text()
"""What a real chef-client printed when a recipe of its run failed."""

AT_ONCE = Settings(backoff=Backoff((0, 0, 0)))


@dataclass
class BusyBootstrap(FakeBootstrap):
    """Nodes whose converges print ``lines``, take ``times``, or fail as a real one did."""

    lines: dict[str, list[str]] = field(default_factory=dict)
    times: dict[str, tuple[ResourceTime, ...]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)

    def perform(
        self, step: str, node: Node, host: Host, deploy: Deploy, timeout: float, say: Say
    ) -> ConvergeResult | str:
        if step == "converge":
            say("Chef Infra Client, version 18.10.17")
            for line in self.lines.get(node.name, ()):
                say(line)
            if node.name in self.failing:
                output = ChefOutput()
                for line in BROKEN.splitlines():
                    say(line)
                    output.feed(line)
                raise NodeError(output.error(), where=node.name, remedy="see its log")
        result = super().perform(step, node, host, deploy, timeout, say)
        if isinstance(result, str):
            return result
        return ConvergeResult(
            result.updated, result.total, 0.1, result.changed, self.times.get(node.name, ())
        )


class FakeCloud:
    """A fake site below ``root``: a controller and ``computes``, one of which may fail."""

    def __init__(self, root: Path, computes: int = 3) -> None:
        budget = (FailureBudget("single-compute", Amount(computes), AT),)
        made = two_stages(root, computes)
        self.manifest = Manifest(
            made.path, made.name, nodes=made.nodes, stages=made.stages, failure_budget=budget
        )
        self.site = FakeSite()
        self.chef = BusyBootstrap(self.site.asked)
        self.site.chef = self.chef

    def deploy(self, *, anew: bool = True) -> ExitCode:
        """Run a deploy, and write down what happens."""
        with State(self.manifest.state) as state:
            last = last_deploy(self.manifest.state)
            return deploy(
                self.manifest, self.site, (state,), last=last, anew=anew, settings=AT_ONCE
            )

    def report(self, redact: Callable[[str], str] = str, *, under_way: bool = False) -> RunReport:
        """What the last run did."""
        last = history.runs(self.manifest.state)[-1]
        return report.read(
            self.manifest.state,
            last,
            under_way=under_way,
            now=time.time(),
            redact=redact,
            cloud=self.manifest.name,
        )


def took(name: str, seconds: float, recipe: str = "nova::compute") -> ResourceTime:
    """A resource of a converge that changed something."""
    return ResourceTime(name, recipe, seconds, True)
