"""One deployment over the lab's nodes, run as its user runs it; and what became of it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
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

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 1800.0
"""Seconds after which a command that has not ended counts as hanging."""

LOOKED_AT = 4
"""Nodes that are looked at in the same moment."""

say = logging.getLogger("chaos").info
"""Tells what goes on, for a test that takes half an hour must not look dead."""


@dataclass
class Underway:
    """A stackcook that runs; ``lines`` are what it has said on stderr so far."""

    command: str
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    out: list[str] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)
    _readers: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        for stream, into in ((self.process.stderr, self.lines), (self.process.stdout, self.out)):
            reader = threading.Thread(target=self._read, args=(stream, into))
            reader.start()
            self._readers.append(reader)

    def wait_for(self, wanted: Callable[[Sequence[str]], bool]) -> None:
        """Wait until ``wanted`` is true of the lines; raises LabError if it ends before."""
        with self._news:
            while not wanted(self.lines):
                if not any(reader.is_alive() for reader in self._readers):
                    raise LabError("it ended too early:\n" + "\n".join(self.lines[-20:]))
                self._news.wait(1)

    def as_each_begins(
        self, step: str, machines: Sequence[Machine], act: Callable[[Machine], None]
    ) -> None:
        """Do ``act`` on each of the machines once its ``step`` has begun, in whatever order."""
        left = {(machine.name, step, "…"): machine for machine in machines}
        while left:
            self.wait_for(lambda lines: any(tuple(line.split()) in left for line in lines))
            begun = {tuple(line.split()) for line in self.lines}
            for key in left.keys() & begun:
                act(machine := left.pop(key))
                say("%s: %s", machine.name, act.__name__)

    def ended(self, patience: float = LONGEST) -> Done:
        """Wait for its end."""
        try:
            status = self.process.wait(patience)
        finally:
            self.kill()
        say("%s ended with %d", self.command, status)
        return Done(status, tuple(self.lines), "\n".join(self.out))

    def kill(self) -> None:
        """SIGKILL, if it still runs; not what it has started."""
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join(5)

    def _read(self, stream: Any, into: list[str]) -> None:
        for line in stream:
            with self._news:
                into.append(line.rstrip("\n"))
                self._news.notify_all()
            if into is self.lines:
                say(into[-1])


@dataclass(frozen=True)
class Done:
    """A stackcook that has ended."""

    status: int
    lines: tuple[str, ...]
    out: str

    @property
    def data(self) -> Any:
        """Its JSON document."""
        return json.loads(self.out)

    @property
    def errors(self) -> dict[str, str]:
        """What failed, by node."""
        return {error["node"]: error["error"] for error in self.data["errors"]}


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
        argv = (sys.executable, "-m", "stackcook", "-f", str(self.manifest), "--json", *arguments)
        process = subprocess.Popen(
            argv,
            cwd=self.manifest.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._started.append(Underway(arguments[0], process))
        return self._started[-1]

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
