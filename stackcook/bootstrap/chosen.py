"""Native bootstrap where it supports a node's options, real knife where it doesn't."""

from __future__ import annotations

from dataclasses import dataclass

from stackcook.bootstrap.base import Bootstrap, ConvergeResult, Deploy, Look, Say
from stackcook.bootstrap.knife import KnifeBootstrap
from stackcook.bootstrap.native import NativeBootstrap
from stackcook.bootstrap.onnode import BootstrapContext
from stackcook.bootstrap.steps import Way, way_of
from stackcook.manifest.model import BootstrapKind, Node
from stackcook.remote.base import Host


@dataclass(frozen=True)
class ChosenBootstrap:
    """Chooses a bootstrap for each node; both reach and inspect nodes in the same way."""

    native: Bootstrap
    knife: Bootstrap
    context: BootstrapContext

    def reach(self, node: Node, host: Host) -> None:
        """Log in to ``node``."""
        self.native.reach(node, host)

    def look(self, node: Node, host: Host) -> Look:
        """Inspect ``node``."""
        return self.native.look(node, host)

    def perform(
        self, step: str, node: Node, host: Host, deploy: Deploy, timeout: float, say: Say
    ) -> ConvergeResult | str:
        """Carry out a step, by the bootstrap that suits the node's options."""
        way = way_of(node, BootstrapKind.NATIVE)
        chosen = self.knife if way is Way.KNIFE else self.native
        return chosen.perform(step, node, host, deploy, timeout, say)

    def interrupt(self) -> None:
        """End what runs on all nodes."""
        self.context.underway.end()


def bootstrap_of(kind: BootstrapKind, context: BootstrapContext) -> Bootstrap:
    """The bootstrap of a manifest that wants ``kind``."""
    knife = KnifeBootstrap(context)
    if kind is BootstrapKind.KNIFE:
        return knife
    return ChosenBootstrap(NativeBootstrap(context), knife, context)
