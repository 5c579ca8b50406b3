#!/usr/bin/env python3
"""A hundred real nodes: native bootstrap, knife's, and a shell loop of ``knife bootstrap``.

    python -m benchmarks.scale [--nodes N] [--loop N] [--log FILE]

Every way begins with a lab of its own (tests/scale/lab.py) and an empty Chef server. The loop is
run on a part of the nodes and extrapolated: with the knife of `gem install` (benchmarks/gem_knife:
once, two to five minutes), which is what users have, and with that of `stackcook setup`. Prints
a table, how much faster native is, and the limits: stackcook's own share of the time, its memory,
and, with nothing to do, the seconds in which no chef-client runs. Exits 1 if one is missed, or a
deploy could not be measured. Nodes, Chef server and stackcook share this machine.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.loop import ROOT, Failed, loop
from benchmarks.stage import plain_knife
from benchmarks.ways import IDLE, KNIFE, LOOP, NATIVE, PINNED, Way, covered, report
from stackcook.chef.server.process import Process
from stackcook.command import find_program
from stackcook.run.history import runs, steps
from stackcook.errors import StackcookError
from tests.scale import repository
from tests.scale.lab import Lab, locked
from tests.scale.machine import LabError, Machine
from tests.scale.measure import Measured, cpu_of, measured, peak_of

EVERY = 30.0
"""Seconds between two lines of progress."""

_CONVERGES = ("bootstrap", "converge", "prepare")
_BAD = ("[ERROR]", "[CRITICAL]", "[ALERT]", "[EMERGENCY]", "panic:")

Say = Callable[[str], None]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--loop", type=int, default=10, help="nodes of the shell loop; 0: none")
    parser.add_argument("--log", type=Path, help="a file for all that is printed")
    parser.add_argument("--only", choices=(NATIVE, "loop", KNIFE), help="measure one way only")
    arguments = parser.parse_args()
    if arguments.log:
        arguments.log.parent.mkdir(parents=True, exist_ok=True)
    log = arguments.log.open("w") if arguments.log else None

    def say(line: str) -> None:
        for stream in (sys.stdout, log):
            if stream:
                print(line, file=stream, flush=True)

    say(f"load before {_load()}, {os.cpu_count()} cores")
    scale = Scale(arguments.nodes, min(arguments.loop, arguments.nodes), say)
    whole = scale.measure(arguments.only)
    say(f"\nload after {_load()}")
    lines, met = report(scale.ways, arguments.nodes)
    for line in lines:
        say(line)
    return 0 if whole and met else 1


@dataclass
class Scale:
    """One run of the benchmark: ``ways`` are those measured so far; ``part`` nodes do a loop."""

    nodes: int
    part: int
    say: Say
    ways: dict[str, Way] = field(default_factory=dict)

    def measure(self, only: str | None = None) -> bool:
        """Every way, one after the other; False if one could not be measured, which is printed."""
        try:
            knife = plain_knife() if self.part and only in (None, "loop") else None
            with locked() as lab:
                try:
                    if only in (None, NATIVE):
                        self._deploys(lab, NATIVE)
                    if only in (None, "loop"):
                        self._loops(lab, knife)
                    if only in (None, KNIFE):
                        self._deploys(lab, KNIFE)
                finally:
                    lab.down(self.say)
        except Failed as failed:
            self.say(f"it failed:\n{str(failed)[-4000:]}")
        except (LabError, StackcookError, OSError) as error:
            self.say(f"it failed: {error}")
        except KeyboardInterrupt:
            self.say("interrupted")
        else:
            return True
        return False

    def _deploys(self, lab: Lab, kind: str) -> None:
        machines = lab.up(self.nodes, self.say)
        manifest = repository.write(lab.root / kind, machines, lab.key, {"bootstrap": kind})
        argv = (sys.executable, "-m", "stackcook", "-f", str(manifest), "deploy")
        for name in (kind, kind + IDLE):

            def deploy(log: Path) -> Measured:
                return measured(*argv, cwd=manifest.parent, env={"PYTHONPATH": str(ROOT)}, log=log)

            self._watch(name, manifest, machines, deploy)
        self.say(f"after it: {lab.status()}")

    def _loops(self, lab: Lab, plain: Path | None) -> None:
        pinned = ((PINNED, find_program("knife").parent),)
        knives = ((LOOP, plain), *pinned) if plain else pinned
        for name, knife in knives if self.part else ():
            machines = lab.up(self.part, self.say)
            manifest = repository.write(lab.root / "loop", machines, lab.key)

            def work(log: Path, knife: Path = knife) -> Measured:
                return loop(manifest, machines, lab.key, knife, log)

            self._watch(name, manifest, machines, work)

    def _watch(
        self,
        name: str,
        manifest: Path,
        machines: tuple[Machine, ...],
        work: Callable[[Path], Measured],
    ) -> None:
        """Do it, and measure the nodes' CPU, the Chef server's memory and its log."""
        state, log = manifest.parent / ".stackcook", manifest.with_name("said")
        server_log, before = state / "chef/server/log", _cpu(machines)
        seen, server_before = len(complaints(server_log)), _server(state)
        log.unlink(missing_ok=True)
        with _progress(name, len(machines), log, self.say):
            run = work(log)
        cpu = (_cpu(machines) - before) / len(machines)
        memory, server_cpu = _server(state)
        bad, converged = complaints(server_log)[seen:], converging(state)
        own = server_cpu - server_before[1]
        way = Way(name, len(machines), run, cpu, memory, bad, converged, own)
        self.say(way.line())
        if run.status:
            raise Failed(f"{name} ended with {run.status}\n{run.output}")
        self.ways[name] = way


def converging(state: Path) -> float:
    """Seconds of the last run in which at least one node converged."""
    done = runs(state)
    return covered(
        (step.started, step.ended or step.started)
        for step in (steps(state, done[-1].id) if done else ())
        if step.step in _CONVERGES
    )


def complaints(log: Path) -> tuple[str, ...]:
    """The lines of goiardi's log that are errors."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else ()
    return tuple(line for line in lines if any(word in line for word in _BAD))


def _server(state: Path) -> tuple[int, float]:
    """The Chef server's memory at most, in bytes, and its seconds of CPU so far."""
    server = Process.load(state / "chef/server/pid")
    memory = peak_of(server.pid) if server else None
    return (memory, cpu_of(server.pid)) if server and memory else (0, 0.0)


def _cpu(machines: tuple[Machine, ...]) -> float:
    return sum(machine.cpu() for machine in machines)


@contextmanager
def _progress(name: str, nodes: int, log: Path, say: Say) -> Iterator[None]:
    """Print now and then how many nodes have converged, according to ``log``."""
    over, began = threading.Event(), time.monotonic()

    def show() -> None:
        while not over.wait(EVERY):
            said = log.read_text(errors="replace") if log.exists() else ""
            count = min(nodes, said.count("resources updated"))
            seconds = time.monotonic() - began
            say(f"  {name}: {count} of {nodes} nodes after {seconds:.0f} s, load {_load()}")

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    sys.exit(main())
