"""One deployment over the lab's nodes, run as its user runs it; and what became of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackcook.chef.rest.client import ChefClient
from stackcook.chef.server.embedded import EmbeddedServer
from stackcook.chef.server.process import Process
from tests.scale.lab import Lab
from tests.scale.machine import LabError, Machine
from tests.started import Done, Started, command, environment

LOOKED_AT = 4
"""Nodes that are looked at in the same moment."""

say = logging.getLogger("chaos").info
"""Tells what goes on, for a test that takes half an hour must not look dead."""


class Underway(Started):
    """A stackcook that runs."""

    def as_each_begins(
        self, step: str, machines: Sequence[Machine], act: Callable[[Machine], None]
    ) -> None:
        """Do ``act`` on each of the machines once its ``step`` has begun, in whatever order."""
        left = {(machine.name, step, "…"): machine for machine in machines}
        while left:
            lines = self.wait_for(lambda lines: any(tuple(line.split()) in left for line in lines))
            for key in left.keys() & {tuple(line.split()) for line in lines}:
                act(machine := left.pop(key))
                say("%s: %s", machine.name, act.__name__)


@dataclass
class Cloud:
    """The manifest's deployment. Whatever still runs of it, :meth:`end` ends."""

    lab: Lab
    manifest: Path
    machines: tuple[Machine, ...]
    _started: list[Underway] = field(default_factory=list)

    @property
    def state(self) -> Path:
        """``.stackcook``."""
        return self.manifest.parent / ".stackcook"

    @property
    def server(self) -> EmbeddedServer:
        """The embedded Chef server."""
        return EmbeddedServer(self.state, str(self.lab.network.address))

    def start(self, *arguments: str) -> Underway:
        """Run stackcook; gives it as soon as it runs."""
        argv = command(self.manifest, "--json", *arguments)
        env = environment(PYTHONUNBUFFERED="1")
        underway = Underway(argv, cwd=self.manifest.parent, tell=say, env=env, quiet=True)
        self._started.append(underway)
        return underway

    def deploy(self, *arguments: str) -> Done:
        """A whole deploy."""
        return self.start("deploy", *arguments).ended()

    def wrong(self, but: Collection[str] = ()) -> list[str]:
        """What is not as it should be after a deploy, one line each; ``but`` are nodes left out.

        Looks at the nodes themselves, at the Chef server's objects, and at what ``status`` says.
        """
        rows = {row["node"]: row for row in self.start("status").ended().data["nodes"]}
        looked_at = [machine for machine in self.machines if machine.name not in but]
        with ChefClient(self.server.chef_server) as client:
            with ThreadPoolExecutor(max_workers=LOOKED_AT) as pool:
                found = pool.map(lambda m: _wrong(m, client, rows[m.name]), looked_at)
                return [line for lines in found for line in lines]

    def kill_server(self) -> None:
        """SIGKILL for the Chef server."""
        server = Process.load(self.state / "chef/server/pid")
        if not server or not server.alive:
            raise LabError("no Chef server runs")
        os.kill(server.pid, 9)

    def end(self) -> None:
        """End what runs."""
        for underway in self._started:
            underway.kill()


def _wrong(machine: Machine, client: ChefClient, row: Mapping[str, Any]) -> list[str]:
    """What is wrong with one node; ``row`` is what ``status`` says of it."""
    found = []
    try:
        content = machine.run("cat /etc/trivial/node").output
    except LabError as error:
        content = str(error)
    if content != f"{machine.name} {machine.address} lab\n":
        found.append(f"{machine.name}: /etc/trivial/node has {content!r}")
    if not client.get(f"/nodes/{machine.name}")["normal"].get("stackcook", {}).get("deploy"):
        found.append(f"{machine.name}: its node object knows no deploy")
    if (row["step"], row["result"]) not in (("converge", "done"), ("bootstrap", "done")):
        found.append(f"{machine.name}: status says {row['step']} {row['result']}")
    return found
