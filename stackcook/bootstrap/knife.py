"""Nodes brought under Chef by real ``knife bootstrap``; converged over SSH from then on."""

from __future__ import annotations

import json
import os
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from stackcook.bootstrap.base import ConvergeResult, Deploy, NodeStep, Say, Standing
from stackcook.bootstrap.output import ChefOutput, Unwrapped
from stackcook.bootstrap.probe import is_known
from stackcook.chef.client import NotFound
from stackcook.chef.files import write_private
from stackcook.command import Command, Run, find_program, run
from stackcook.errors import NodeError
from stackcook.manifest.model import Node
from stackcook.remote.base import Connect, Host, sudo
from stackcook.remote.ssh import connect

TEMPLATE = Path(__file__).with_name("node.sh.erb")
ATTRIBUTES = "/etc/chef/stackcook.json"
"""Where a node finds the attributes of a converge."""

CLIENT_LOCK = Path(__file__).parents[1] / "machines" / "client.lock"
"""The gems of the Chef client, "name version" a line."""


class ChefObjects(Protocol):
    """What is needed of the Chef server's client."""

    def get(self, path: str) -> Any:
        ...

    def put(self, path: str, data: Any) -> Any:
        ...

    def delete(self, path: str) -> Any:
        ...


class Underway:
    """What runs on nodes now, so that an interrupt can end it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: list[Callable[[], None]] = []
        self._over = False

    @contextmanager
    def noting(self) -> Iterator[Callable[[Callable[[], None]], None]]:
        """Yields what takes the end of something that has begun; it is over after the block."""
        mine: list[Callable[[], None]] = []

        def note(end: Callable[[], None]) -> None:
            with self._lock:
                mine.append(end)
                self._ends.append(end)
                over = self._over
            if over:  # it began while the others were being ended
                end()

        try:
            yield note
        finally:
            with self._lock:
                self._ends = [end for end in self._ends if end not in mine]

    def end(self) -> None:
        """End everything, and what begins from now on."""
        with self._lock:
            self._over = True
            ends = tuple(self._ends)
        for end in ends:
            end()


@dataclass(frozen=True)
class KnifeBootstrap:
    """``state`` is ``.stackcook``; ``secret`` the file whose content decrypts data bag items.

    ``timeout`` is for one bootstrap or converge, in seconds.
    """

    client: ChefObjects
    server_url: str
    state: Path
    secret: Path | None
    opener: Connect = connect
    runner: Run = run
    timeout: float = 3600
    _underway: Underway = field(default_factory=Underway)

    @property
    def known_hosts(self) -> Path:
        """Where SSH host keys are recorded on first contact."""
        return self.state / "known_hosts"

    def standing(self, node: Node, host: Host) -> Standing:
        """Ask the server and the node; raises NodeError if the node can't be reached."""
        client = self._find(f"/clients/{node.name}")
        known = self._find(f"/nodes/{node.name}")
        with self.opener(host, self.known_hosts) as remote:  # records the host key for knife too
            if client is None and known is None:
                return Standing.NEW
            if client is None or known is None:
                return Standing.HALF
            key = client.get("public_key") or self._key(node)
            if is_known(remote, host, key, self.server_url, self.secret):
                return Standing.KNOWN
            return Standing.HALF

    def ahead(
        self, node: Node, host: Host, standing: Standing, deploy: Deploy
    ) -> tuple[NodeStep, ...]:
        """Nothing: knife does all in one."""
        return ()

    def converge(
        self, node: Node, host: Host, standing: Standing, deploy: Deploy
    ) -> tuple[NodeStep, ...]:
        """Bootstrap a node that isn't known; converge one that is."""
        if standing is Standing.KNOWN:
            return (NodeStep("converge", lambda say: self._converge(node, host, deploy, say)),)
        return (NodeStep("bootstrap", lambda say: self._bootstrap(node, host, deploy, say)),)

    def _bootstrap(self, node: Node, host: Host, deploy: Deploy, on_line: Say) -> ConvergeResult:
        """Take away what a half-made node left on the server, then ``knife bootstrap``."""
        forget(self.client, node.name)
        output, plain = ChefOutput(), Unwrapped(host.address)

        def read(said: str) -> None:
            if line := plain.feed(said):
                output.feed(line)
                on_line(line)

        started = time.monotonic()
        attributes = self._first_boot(node, deploy)
        command = self._command(node, host, attributes)
        with self._underway.noting() as note:
            done = self.runner(
                command, on_line=read, timeout=node.timeout or self.timeout, on_start=note
            )
        return _result(node, done.status, output, time.monotonic() - started)

    def _converge(self, node: Node, host: Host, deploy: Deploy, on_line: Say) -> ConvergeResult:
        """Bring the node object in step with the manifest, then run chef-client over SSH."""
        self._synchronize(node)
        output = ChefOutput()

        def read(line: str) -> None:
            output.feed(line)
            on_line(line)

        started = time.monotonic()
        place = "" if node.policy_name else f" -E {shlex.quote(node.environment)}"
        command = (
            f"umask 077 && cat > {ATTRIBUTES} &&"
            f" exec chef-client{place} -j {ATTRIBUTES} --run-lock-timeout 600"
            " --no-color --force-formatter --format doc"
        )
        attributes = json.dumps(_attributes(node, deploy))
        with self.opener(host, self.known_hosts) as remote, self._underway.noting() as note:
            note(remote.close)
            timeout = node.timeout or self.timeout
            done = remote.run(sudo(command), stdin=attributes, on_line=read, timeout=timeout)
        return _result(node, done.status, output, time.monotonic() - started)

    def interrupt(self) -> None:
        """End what is under way on any node; nothing that begins later lives."""
        self._underway.end()

    def _find(self, path: str) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = self.client.get(path)
            return found
        except NotFound:
            return None

    def _key(self, node: Node) -> str:
        """The client's public key, from servers that keep it apart (API version 1 and later)."""
        return str((self._find(f"/clients/{node.name}/keys/default") or {}).get("public_key", ""))

    def _synchronize(self, node: Node) -> None:
        path = f"/nodes/{node.name}"
        found = self.client.get(path)
        wanted = {**found, **_place(node)}
        if wanted != found:
            self.client.put(path, wanted)

    def _first_boot(self, node: Node, deploy: Deploy) -> Path:
        """The file with the attributes of the first boot."""
        path = self.state / "chef" / "first-boot" / f"{node.name}.json"
        write_private(path, json.dumps(_attributes(node, deploy)))
        return path

    def _command(self, node: Node, host: Host, attributes: Path) -> Command:
        argv = [
            *(str(find_program("knife")), "bootstrap", host.address),
            *("-c", str(self.state / "chef" / "config.rb"), "--no-color"),
            *("-N", node.name),
            *("-U", host.user, "-i", str(host.key)),
            *("--ssh-verify-host-key", "always"),
            *("-t", str(TEMPLATE), "--json-attribute-file", str(attributes)),
        ]
        if node.policy_name:  # which has the run list, and knows no environments
            argv += ["--policy-name", node.policy_name, "--policy-group", str(node.policy_group)]
        else:
            argv += ["-E", node.environment, "-r", ",".join(node.run_list)]
        if host.port != 22:  # given as text, 22 would be looked for as [ADDRESS]:22 in known_hosts
            argv += ["-p", str(host.port)]
        if host.user != "root":
            argv.append("--sudo")
        if self.secret:
            argv += ["--secret-file", str(self.secret)]
        return Command(tuple(argv), env=self._environment())

    def _environment(self) -> dict[str, str]:
        """A home of knife's own, so that it verifies host keys against our known_hosts.

        train gives net-ssh /dev/null as the user's known_hosts; only the *global* file can be
        named, and only in the ssh configuration of the home directory.
        """
        home = self.state / "chef" / "home"
        # Written whole: another node's knife may just be reading it.
        config = f'Host *\n  GlobalKnownHostsFile "{self.known_hosts}"\n'
        write_private(home / ".ssh" / "config", config)
        return {
            "HOME": str(home),
            "CHEF_LICENSE": os.environ.get("CHEF_LICENSE", "accept-silent"),
            # knife asks a licence service on the internet before anything else and goes on without
            # one: a port of this machine that refuses at once spares the wait for a time-out.
            "CHEF_LICENSE_SERVER": "http://127.0.0.1:9",
            "STACKCOOK_CLIENT_GEMS": _client_gems(CLIENT_LOCK.read_text()),
        }


def _client_gems(lock: str) -> str:
    """The locked gems as `gem install` takes them, in their order."""
    words = (line.split("#")[0].split() for line in lock.splitlines())
    return " ".join(":".join(pair) for pair in words if pair)


def _attributes(node: Node, deploy: Deploy) -> dict[str, Any]:
    """What chef-client puts into the node object, and saves only at the end of a good run."""
    address = {"openstack": {"address": str(node.address)}} if node.address else {}
    return {**address, "stackcook": {"deploy": deploy.id}}


def _place(node: Node) -> dict[str, Any]:
    """What of the node object says where the node belongs, and what it is to become."""
    if node.policy_name:
        return {"policy_name": node.policy_name, "policy_group": node.policy_group}
    return {"run_list": list(node.run_list), "chef_environment": node.environment}


def forget(client: ChefObjects, name: str) -> bool:
    """Delete the node and its client from the server; whether one of them was there."""
    there = False
    for path in (f"/nodes/{name}", f"/clients/{name}"):
        try:
            client.delete(path)
            there = True
        except NotFound:
            continue
    return there


def _result(node: Node, status: int, output: ChefOutput, seconds: float) -> ConvergeResult:
    if status == 0 and output.finished:
        return ConvergeResult(*output.finished, seconds, output.changed)
    cause = output.error() if status else f"chef-client did not say that it ended ({output.last})"
    raise NodeError(cause, where=node.name, remedy=f"see more with `stackcook logs {node.name}`")
