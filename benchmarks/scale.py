#!/usr/bin/env python3
"""A hundred real nodes: native bootstrap, knife's, and a shell loop of ``knife bootstrap``.

    python -m benchmarks.scale [--nodes N] [--loop N] [--log FILE]

Every way begins with a lab of its own (tests/scale/lab.py) and an empty Chef server. The loop is
run on a part of the nodes and extrapolated. Prints a table and how it compares with what is
wanted; ends with 1 if something is missed. Nodes, Chef server and stackcook share this machine.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.loop import ROOT, loop
from stackcook.chef.process import Process
from stackcook.deploy.history import runs, steps
from tests.scale import repository
from tests.scale.lab import Lab, locked
from tests.scale.machine import Machine
from tests.scale.measure import Measured, measured, peak_of

MIB = 1 << 20
_CONVERGES = ("bootstrap", "converge", "prepare")
_BAD = ("[ERROR]", "[CRITICAL]", "[ALERT]", "[EMERGENCY]", "panic:")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Way:
    """One way measured on ``nodes``; ``converging`` are the seconds in which a node converged.

    ``node_cpu`` are seconds of CPU of one node, ``server_memory`` in bytes at most, ``complaints``
    are lines of the Chef server's log.
    """

    name: str
    nodes: int
    run: Measured
    node_cpu: float
    server_memory: int
    complaints: tuple[str, ...]
    converging: float = 0.0

    def line(self, loop: Way | None) -> str:
        """Its row of the table; ``loop`` is what it is compared with."""
        each = self.run.seconds / self.nodes
        ratio = f"{loop.run.seconds / loop.nodes / each:5.1f}" if loop else "     "
        share = f"{self.run.cpu / self.run.seconds:6.1%}" if self.converging else "      "
        return (
            f"{self.name:<22} {self.nodes:5} {self.run.seconds:8.1f} {each:7.2f} {ratio}  {share}"
            f" {self.run.memory // MIB:5} {self.node_cpu:7.1f}"
            f" {self.server_memory // MIB:7} {len(self.complaints):6}"
        )


HEAD = (
    "way                    nodes  seconds  a node  times  share   MiB node CPU  server errors\n"
    "                                                 as fast  own   own        s    MiB in log"
)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--loop", type=int, default=10, help="nodes of the shell loop; 0: none")
    parser.add_argument("--log", type=Path, help="a file for all that is printed")
    arguments = parser.parse_args()
    if arguments.log:
        arguments.log.parent.mkdir(parents=True, exist_ok=True)
    log = arguments.log.open("w") if arguments.log else None

    def say(line: str) -> None:
        for stream in (sys.stdout, log):
            if stream:
                print(line, file=stream, flush=True)

    with locked() as lab:
        try:
            ways = measure(lab, arguments.nodes, min(arguments.loop, arguments.nodes), say)
        finally:
            lab.down(say)
    return report(ways, arguments.nodes, say)


def measure(lab: Lab, nodes: int, part: int, say: Say) -> dict[str, Way]:
    """Every way, one after the other."""
    ways: dict[str, Way] = {}
    for kind in ("native", "knife"):
        machines = lab.up(nodes, say)
        manifest = repository.write(lab.root / kind, machines, lab.key, {"bootstrap": kind})
        for again in (False, True):
            name = f"{kind}, nothing to do" if again else kind
            ways[name] = way = deploy(name, manifest, machines)
            say(way.line(None))
            if way.run.status:
                raise SystemExit(way.run.output[-4000:])
        say(f"after it: {lab.status()}")
    if part:
        machines = lab.up(part, say)
        manifest = repository.write(lab.root / "loop", machines, lab.key)
        ways["loop"] = watched("knife in a loop", manifest, machines, loop_of(lab))
        say(ways["loop"].line(None))
        if ways["loop"].run.status:
            raise SystemExit(ways["loop"].run.output[-4000:])
    return ways


def loop_of(lab: Lab) -> Callable[[Path, Sequence[Machine]], Measured]:
    """The loop, with the lab's key."""
    return lambda manifest, machines: loop(manifest, machines, lab.key)


def deploy(name: str, manifest: Path, machines: Sequence[Machine]) -> Way:
    """One ``stackcook deploy``, and how long at least one node was converging in it."""

    def run(manifest: Path, _: Sequence[Machine]) -> Measured:
        argv = (sys.executable, "-m", "stackcook", "-f", str(manifest), "deploy")
        log = manifest.with_name(f"{name.replace(', ', '-').replace(' ', '-')}.log")
        return measured(*argv, cwd=manifest.parent, env={"PYTHONPATH": str(ROOT)}, log=log)

    return watched(name, manifest, machines, run)


def watched(
    name: str,
    manifest: Path,
    machines: Sequence[Machine],
    work: Callable[[Path, Sequence[Machine]], Measured],
) -> Way:
    """Do it, and look at the nodes' CPU, the Chef server's memory and its log."""
    state = manifest.parent / ".stackcook"
    log, before = state / "chef/server/log", sum(machine.cpu() for machine in machines)
    seen = len(complaints(log))
    run = work(manifest, machines)
    cpu = (sum(machine.cpu() for machine in machines) - before) / len(machines)
    server = Process.load(state / "chef/server/pid")
    memory = peak_of(server.pid) if server else None
    return Way(
        name, len(machines), run, cpu, memory or 0, complaints(log)[seen:], converging(state)
    )


def converging(state: Path) -> float:
    """Seconds of the last run in which at least one node converged."""
    done = runs(state)
    spans = sorted(
        (step.started, step.ended or step.started)
        for step in (steps(state, done[-1].id) if done else ())
        if step.step in _CONVERGES
    )
    total = end = 0.0
    for begun, ended in spans:
        total += max(0.0, ended - max(begun, end))
        end = max(end, ended)
    return total


def complaints(log: Path) -> tuple[str, ...]:
    """The lines of goiardi's log that are errors."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else ()
    return tuple(line for line in lines if any(word in line for word in _BAD))


def report(ways: dict[str, Way], nodes: int, say: Say) -> int:
    """The table, and what was wanted; 1 if something is missed."""
    base = ways.get("loop")
    say(f"\nload {' '.join(f'{n:.1f}' for n in os.getloadavg())}, {os.cpu_count()} cores\n{HEAD}")
    for way in ways.values():
        say(way.line(base))
    if base:
        whole = base.run.seconds * nodes / base.nodes
        say(f"{'loop, extrapolated':<22} {nodes:5} {whole:8.1f}")
    for way in ways.values():
        if way.converging:
            floor = way.node_cpu * way.nodes / (os.cpu_count() or 1)
            say(
                f"  {way.name}: the nodes' own CPU takes {floor:.0f} s of all cores"
            )
    for complaint in sorted({c for way in ways.values() for c in way.complaints})[:10]:
        say(f"  Chef server: {complaint}")
    missed = 0
    for ok, text in verdicts(ways, base):
        missed += not ok
        say(f"{'ok    ' if ok else 'MISSED'} {text}")
    return 1 if missed else 0


def verdicts(ways: dict[str, Way], base: Way | None) -> list[tuple[bool, str]]:
    """What is wanted, and whether it is so."""
    native, idle = ways["native"], ways["native, nothing to do"]
    share, memory = native.run.cpu / native.run.seconds, native.run.memory / MIB
    other = idle.run.seconds - idle.converging
    found = [
        (share < 0.05, f"stackcook's own share of the wall time {share:.1%}, wanted under 5 %"),
        (memory < 300, f"stackcook's memory {memory:.0f} MiB, wanted under 300"),
        (idle.run.seconds < 60, f"nothing to do: {idle.run.seconds:.1f} s, wanted under 60"),
        (other < 5, f"nothing to do: {other:.1f} s of it is not converging, wanted under 5"),
    ]
    if base:
        ratio = base.run.seconds / base.nodes * native.nodes / native.run.seconds
        found.insert(0, (ratio >= 5, f"native {ratio:.1f} times as fast as the loop, wanted 5"))
    return found


if __name__ == "__main__":
    sys.exit(main())
