"""Brings nodes under Chef: natively, by ``knife bootstrap``, or by a cloud's knife plugin."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from stackcook.bootstrap import bundled, knife, native, provided, record
from stackcook.bootstrap.base import ConvergeResult, Deploy, Look, Registration
from stackcook.bootstrap.converge import converge, prepare
from stackcook.bootstrap.hostname import set_hostname
from stackcook.bootstrap.hostnetwork import set_up
from stackcook.bootstrap.look import look
from stackcook.bootstrap.objects import Lost, find
from stackcook.bootstrap.onnode import BootstrapContext, NodeTask
from stackcook.bootstrap.preflight import HostFacts
from stackcook.bootstrap.providers import WINDOWS
from stackcook.bootstrap.record import Keep
from stackcook.bootstrap.steps import REGISTER_TIMEOUT
from stackcook.command import Say
from stackcook.errors import NodeError
from stackcook.manifest.model import BootstrapKind, Node
from stackcook.remote.base import Host, as_root


@dataclass(frozen=True)
class Bootstrap:
    """Carries out the steps that :mod:`.steps` lists for the nodes of a manifest of this ``kind``.

    All methods but ``interrupt`` raise NodeError or ChefServerError.
    """

    context: BootstrapContext
    kind: BootstrapKind = BootstrapKind.NATIVE
    hosts: bool = False
    """Whether the nodes are hosts that were there before, which are recorded and given back."""
    _facts: dict[str, HostFacts | None] = field(default_factory=dict)
    """Node → what was found on it."""

    def reach(self, node: Node, host: Host) -> None:
        """Log in to ``node``, and no more; the connection stays open for all that follows.

        Skips a provider's machine, which may not exist yet.
        """
        if not node.provider:
            self.context.open(host).close()

    def look(self, node: Node, host: Host) -> Look:
        """Inspect ``node``: what host is it, and how is it registered? Changes nothing.

        A provider's machine that the Chef server knows is registered: it must not be created again.
        Raises NodeError if the node can't be reached, or its user can't become root.
        """
        if node.provider and find(self.context.client, f"/nodes/{node.name}") is None:
            return Look(Registration.NEW, "its provider has not created it yet")
        if node.provider in WINDOWS:
            return Look(Registration.REGISTERED, "known to the Chef server")
        found = look(self.context, node, host)
        self._facts[node.name] = found.facts
        if self.context.firewall:
            self.context.firewall.note(node, found.facts)
        return replace(found, registration=Registration.REGISTERED) if node.provider else found

    def probe(self, node: Node, host: Host, command: str, timeout: float) -> str:
        """Run a command that changes nothing as root; returns what it prints on stdout."""
        with self.context.open(host) as remote:
            return as_root(remote, command, timeout=timeout, apart=True).output

    def perform(
        self, step: str, node: Node, host: Host, deploy: Deploy, timeout: float, say: Say
    ) -> ConvergeResult | str:
        """Carry out the step of that name.

        It may take ``timeout`` seconds; ``say`` gets each line that the node prints. Returns what
        it did, in a few words or as a converge.
        """
        task = NodeTask(self.context, step, node, host, deploy, timeout, say)
        if step == "record":
            return record.record(task)
        if not self.hosts or node.provider:
            return self._perform(task)
        record.note_changes(task, "begin")
        try:
            return self._perform(task)
        finally:
            with suppress(NodeError):  # a host that is gone now: the next step notes more
                record.note_changes(task, "end")

    def give_back(
        self, node: Node, host: Host, units: Sequence[str], keep: Keep, timeout: float, say: Say
    ) -> str:
        """Give a host back, see :func:`stackcook.bootstrap.record.give_back`."""
        task = NodeTask(self.context, "give back", node, host, Deploy(""), timeout, say)
        return record.give_back(task, units, keep)

    def _perform(self, task: NodeTask) -> ConvergeResult | str:
        step, node = task.step, task.node
        if step == "packages":
            return bundled.bring(task, self._facts.get(node.name))
        if step == "hostname":
            return set_hostname(task, self._facts.get(node.name))
        if step == "bootstrap":
            if node.provider:
                return provided.create(task)
            return knife.bootstrap(task, self._facts.get(node.name))
        if node.provider in WINDOWS:
            return provided.converge_windows(task)
        if step == "install":
            return native.install_client(task, self._facts.get(node.name))
        if step == "register":
            return native.register(task)

        def work() -> ConvergeResult | str:
            if step == "interfaces":
                return set_up(task, self._facts.get(node.name))
            return prepare(task) if step == "prepare" else converge(task)

        try:
            return work()
        except Lost:
            by_knife = node.options.knife_only and not node.provider
            if by_knife or self.kind is BootstrapKind.KNIFE:
                raise
            task.say("the Chef server no longer has this node: registering it again")
            native.register(replace(task, step="register", timeout=REGISTER_TIMEOUT))
            return work()

    def interrupt(self) -> None:
        """End what runs on any node, and begin nothing more; call it from another thread."""
        self.context.underway.end()
