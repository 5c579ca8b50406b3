"""Nodes brought under Chef by stackcook itself, step by step over SSH."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from stackcook.bootstrap import etc_chef, install, objects
from stackcook.bootstrap.base import Deploy, Look, NodeStep, Say, Registration
from stackcook.bootstrap.converge import address, converge, prepare
from stackcook.bootstrap.look import look
from stackcook.bootstrap.onnode import BootstrapContext, carry_out, failed
from stackcook.bootstrap.output import ChefOutput
from stackcook.errors import NodeError
from stackcook.manifest.model import Node
from stackcook.remote.base import Host

T = TypeVar("T")

INSTALL_TIMEOUT = 1800.0
REGISTER_TIMEOUT = 120.0


@dataclass(frozen=True)
class NativeBootstrap:
    """No step does what another kind of bootstrap could not go on from."""

    context: BootstrapContext
    _has_client: dict[str, bool] = field(default_factory=dict)
    """By a look at the node."""

    def reach(self, node: Node, host: Host) -> None:
        """Log in; the connection stays open for all that follows."""
        with self.context.open(node, host):
            pass

    def look(self, node: Node, host: Host) -> Look:
        """Ask the server and the node, as :func:`~stackcook.bootstrap.look.look` does."""
        found = look(self.context, node, host)
        self._has_client[node.name] = found.client
        return found

    def ahead(
        self, node: Node, host: Host, registration: Registration, deploy: Deploy
    ) -> tuple[NodeStep, ...]:
        """Make the node known to the server, and give it its packages."""
        if registration is Registration.REGISTERED:
            return ()
        steps: tuple[tuple[str, Callable[[Say], str]], ...] = (
            ("install", partial(self._install, node, host)),
            ("register", partial(self._register, node, host)),
        )
        if recipes := deploy.ahead.get(node.name):
            early = partial(prepare, self.context, node, host, deploy, recipes)
            steps += (("prepare", self._even_if_lost(node, host, early)),)
        return tuple(NodeStep(name, work) for name, work in steps)

    def converge(
        self, node: Node, host: Host, registration: Registration, deploy: Deploy
    ) -> tuple[NodeStep, ...]:
        """Converge, the same for all."""
        whole = partial(converge, self.context, node, host, deploy)
        return (NodeStep("converge", self._even_if_lost(node, host, whole)),)

    def interrupt(self) -> None:
        """End what is under way on any node; nothing that begins later lives."""
        self.context.underway.end()

    def _even_if_lost(self, node: Node, host: Host, work: Callable[[Say], T]) -> Callable[[Say], T]:
        """``work``, once more where the Chef server has lost the node."""

        def even_if_lost(say: Say) -> T:
            try:
                return work(say)
            except objects.Lost:
                say("The Chef server has lost this node: it is registered anew")
                self._register(node, host, say)
                return work(say)

        return even_if_lost

    def _install(self, node: Node, host: Host, say: Say) -> str:
        """See that the client is there, in the version that is wanted."""
        options, output, installed = self.context.options(node), ChefOutput(), False
        any_does = not options.version and not options.one("preinstall")
        if any_does and self._has_client.get(node.name):
            return "it was there"

        def read(line: str) -> None:
            nonlocal installed
            installed = True
            output.feed(line)
            say(line)

        done = carry_out(
            self.context,
            node,
            host,
            install.script(options),
            step="install",
            timeout=INSTALL_TIMEOUT,
            read=read,
        )
        if done.status:
            raise failed(node, output)
        return "installed" if installed else "it was there"

    def _register(self, node: Node, host: Host, say: Say) -> str:
        """Write ``/etc/chef``, and make the client with the node's public key, and the node."""
        options, secret = self.context.options(node), self.context.secret_of(node)
        given = {**options.attributes(node.name), **address(node)}
        files = etc_chef.files(self.context.server, node, options, first_boot=given, secret=secret)
        lines: list[str] = []
        done = carry_out(
            self.context,
            node,
            host,
            etc_chef.script(files),
            step="register",
            timeout=REGISTER_TIMEOUT,
            read=lines.append,
        )
        key = done.output[max(0, done.output.find("-----BEGIN PUBLIC KEY")) :]
        if done.status or not key.startswith("-----BEGIN"):
            why = lines[-1] if lines else f"status {done.status}"
            raise NodeError(f"{etc_chef.DIRECTORY} can't be written ({why})", where=node.name)
        with objects.passing(node):
            objects.register(self.context.client, node, key, given, options.tags)
        return "registered"
