"""Nodes that a knife command creates and bootstraps; later converges are as for all nodes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from stackcook.bootstrap import providers
from stackcook.bootstrap.base import (
    Bootstrap,
    ConvergeResult,
    Deploy,
    Look,
    Say,
    Registration,
)
from stackcook.bootstrap.objects import ChefObjects
from stackcook.bootstrap.onnode import Underway
from stackcook.bootstrap.output import ChefOutput, Unwrapped
from stackcook.chef.rest.client import NotFound
from stackcook.chef.server.knife import server_arguments
from stackcook.command import Command, CommandError, Runner, find_program, run
from stackcook.errors import NodeError
from stackcook.manifest.model import ChefServer, Node
from stackcook.remote.base import Host

_LOGS = "run `stackcook logs NODE` to see more"


@dataclass(frozen=True)
class ProvidedBootstrap:
    """Handles the nodes of providers; passes all others to ``inner``.

    ``root`` is where knife looks for its own configuration, and so for the plugins' credentials.
    """

    inner: Bootstrap
    client: ChefObjects
    server: ChefServer
    root: Path
    runner: Runner = run
    _underway: Underway = field(default_factory=Underway)

    def reach(self, node: Node, host: Host) -> None:
        """Skip a provider's machine, which may not exist yet; log in to any other."""
        if not node.provider:
            self.inner.reach(node, host)

    def look(self, node: Node, host: Host) -> Look:
        """Ask only the Chef server: a machine that it knows must not be created again.

        One that SSH leads to must be fit all the same.
        """
        if not node.provider:
            return self.inner.look(node, host)
        try:
            self.client.get(f"/nodes/{node.name}")
        except NotFound:
            return Look(Registration.NEW, "its provider has not created it yet")
        if node.provider in providers.WINDOWS:
            return Look(Registration.REGISTERED, "known to the Chef server")
        return replace(self.inner.look(node, host), registration=Registration.REGISTERED)

    def perform(
        self, step: str, node: Node, host: Host, deploy: Deploy, timeout: float, say: Say
    ) -> ConvergeResult | str:
        """Run the provider's command; converge over SSH like all nodes, on Windows by knife."""
        if node.provider and step == "bootstrap":
            return self._make(node, timeout, say)
        if protocol := providers.WINDOWS.get(node.provider or ""):
            words = (protocol, f"name:{node.name}", "chef-client")
            arguments = (*words, *providers.connection_arguments(node))
            return self._knife(node, arguments, timeout, say, _LOGS)
        return self.inner.perform(step, node, host, deploy, timeout, say)

    def _make(self, node: Node, timeout: float, on_line: Say) -> ConvergeResult:
        remedy = _LOGS
        if node.provider and node.provider not in providers.WINDOWS:
            listed = " ".join((*providers.create_words(node.provider)[:-1], "list"))
            remedy += f", and `knife {listed}` to check for a machine that was left behind"
        return self._knife(node, providers.create_arguments(node), timeout, on_line, remedy)

    def interrupt(self) -> None:
        """Stop what runs on all nodes."""
        self._underway.end()
        self.inner.interrupt()

    def _knife(
        self, node: Node, arguments: tuple[str, ...], timeout: float, on_line: Say, remedy: str
    ) -> ConvergeResult:
        remedy = remedy.replace("NODE", node.name, 1)
        output, plain = ChefOutput(), Unwrapped()

        def read(said: str) -> None:
            if line := plain.feed(said):
                output.feed(line)
                on_line(line)

        started = time.monotonic()
        argv = (str(find_program("knife")), *arguments, *server_arguments(self.server))
        try:
            with self._underway.noting() as note:
                done = self.runner(
                    Command(argv, cwd=self.root),
                    on_line=read,
                    timeout=timeout,
                    on_start=note,
                )
        except CommandError as error:
            what = f"`knife {' '.join(arguments[:3])}` did not finish within {timeout:g} s"
            raise NodeError(what, where=node.name, remedy=remedy) from error
        if done.status:
            raise NodeError(output.error(), where=node.name, remedy=remedy)
        updated, total = output.finished or (0, 0)
        return ConvergeResult(updated, total, time.monotonic() - started, output.changed)
