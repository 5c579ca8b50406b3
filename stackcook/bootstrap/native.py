"""Bootstraps nodes over SSH without knife, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from stackcook.bootstrap import etc_chef, install, objects
from stackcook.bootstrap.base import ConvergeResult, Deploy, Look, Say
from stackcook.bootstrap.converge import address, converge, prepare
from stackcook.bootstrap.look import look
from stackcook.bootstrap.onnode import BootstrapContext, carry_out, failed
from stackcook.bootstrap.output import ChefOutput
from stackcook.bootstrap.steps import REGISTER_TIMEOUT
from stackcook.errors import NodeError
from stackcook.manifest.model import Node
from stackcook.remote.base import Host


@dataclass(frozen=True)
class NativeBootstrap:
    """Bootstraps nodes without knife; after each step, any kind of bootstrap could continue."""

    context: BootstrapContext
    _has_client: dict[str, bool] = field(default_factory=dict)
    """Node → whether a Chef client was found on it."""

    def reach(self, node: Node, host: Host) -> None:
        """Log in; the connection stays open for all that follows."""
        with self.context.open(node, host):
            pass

    def look(self, node: Node, host: Host) -> Look:
        """Ask the server and the node, as :func:`~stackcook.bootstrap.look.look` does."""
        found = look(self.context, node, host)
        self._has_client[node.name] = found.client
        return found

    def perform(
        self, step: str, node: Node, host: Host, deploy: Deploy, timeout: float, say: Say
    ) -> ConvergeResult | str:
        """Install the client, register the node, prepare it, or converge it."""
        if step == "install":
            return self._install(node, host, timeout, say)
        if step == "register":
            return self._register(node, host, timeout, say)
        work: Callable[[], ConvergeResult | str]
        if step == "prepare":
            recipes = deploy.recipes[node.name]
            work = partial(prepare, self.context, node, host, deploy, recipes, say, timeout)
        else:
            work = partial(converge, self.context, node, host, deploy, say, timeout)
        try:
            return work()
        except objects.Lost:
            say("the Chef server no longer has this node: registering it again")
            self._register(node, host, REGISTER_TIMEOUT, say)
            return work()

    def interrupt(self) -> None:
        """Stop what runs on all nodes, and anything that starts later."""
        self.context.underway.end()

    def _install(self, node: Node, host: Host, timeout: float, say: Say) -> str:
        """Install the client unless the wanted version is installed already."""
        options, output, installed = self.context.options(node), ChefOutput(), False
        any_does = not options.version and not options.one("preinstall")
        if any_does and self._has_client.get(node.name):
            return "already installed"

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
            timeout=timeout,
            read=read,
        )
        if done.status:
            raise failed(node, output)
        return "installed" if installed else "already installed"

    def _register(self, node: Node, host: Host, timeout: float, say: Say) -> str:
        """Write ``/etc/chef``, and create the node and its client with the node's public key."""
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
            timeout=timeout,
            read=lines.append,
        )
        key = done.output[max(0, done.output.find("-----BEGIN PUBLIC KEY")) :]
        if done.status or not key.startswith("-----BEGIN"):
            why = lines[-1] if lines else f"status {done.status}"
            raise NodeError(f"cannot write {etc_chef.DIRECTORY} ({why})", where=node.name)
        with objects.passing(node):
            objects.register(self.context.client, node, key, given, options.tags)
        return "registered"
