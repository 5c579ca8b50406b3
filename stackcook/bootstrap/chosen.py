"""Native bootstrap where it can do what a node's options want, knife's where it can't."""

from __future__ import annotations

from dataclasses import dataclass

from stackcook.bootstrap.base import Bootstrap, Deploy, Look, NodeStep, Registration
from stackcook.bootstrap.knife import KnifeBootstrap
from stackcook.bootstrap.native import NativeBootstrap
from stackcook.bootstrap.onnode import BootstrapContext
from stackcook.bootstrap.options import needs_knife
from stackcook.manifest.model import BootstrapKind, Node
from stackcook.remote.base import Host


@dataclass(frozen=True)
class ChosenBootstrap:
    """One of two for each node; both end what is under way on an interrupt."""

    native: Bootstrap
    knife: Bootstrap
    context: BootstrapContext

    def reach(self, node: Node, host: Host) -> None:
        """The same by both."""
        self._of(node).reach(node, host)

    def look(self, node: Node, host: Host) -> Look:
        """The same by both."""
        return self._of(node).look(node, host)

    def ahead(
        self, node: Node, host: Host, registration: Registration, deploy: Deploy
    ) -> tuple[NodeStep, ...]:
        """By the one that is chosen."""
        return self._of(node).ahead(node, host, registration, deploy)

    def converge(
        self, node: Node, host: Host, registration: Registration, deploy: Deploy
    ) -> tuple[NodeStep, ...]:
        """By the one that is chosen."""
        return self._of(node).converge(node, host, registration, deploy)

    def interrupt(self) -> None:
        """End what is under way on any node."""
        self.context.underway.end()

    def _of(self, node: Node) -> Bootstrap:
        return self.knife if needs_knife(node, self.context.state.parent) else self.native


def bootstrap_of(kind: BootstrapKind, context: BootstrapContext) -> Bootstrap:
    """The bootstrap of a manifest that wants ``kind``."""
    knife = KnifeBootstrap(context)
    if kind is BootstrapKind.KNIFE:
        return knife
    return ChosenBootstrap(NativeBootstrap(context), knife, context)
