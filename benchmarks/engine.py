#!/usr/bin/env python3
"""What stackcook itself costs: a whole deploy of 1,000 and of 10,000 nodes that take no time.

Machines, Chef and cloud are the tests' fakes; the engine, its schedule, its record of runs and the
console are the real ones, and so is every node's log. Each size is a process of its own. Prints
seconds, microseconds of CPU a node, the most memory at once, and how CPU grows: ten times the
nodes, 10 is linear. ``again`` is a deploy that has nothing left to do; ``status`` is the command as
its user runs it, on the record of that deploy, with hosts of this machine's loopback that refuse at
once. All lies below TMPDIR: on ext4, half of the time goes into making 10,000 logs.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from ipaddress import IPv4Address
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from stackcook.console import Console  # noqa: E402
from stackcook.operations.deploy import deploy as run  # noqa: E402
from stackcook.operations.runner import Settings  # noqa: E402
from stackcook.run.record import last_deploy  # noqa: E402
from stackcook.run.state import State  # noqa: E402
from stackcook.manifest.read import read  # noqa: E402
from tests.fakes import FakeSite  # noqa: E402
from tests.scale.repository import IN_A_LINE  # noqa: E402
from tests.scale.measure import Measured, measured  # noqa: E402

SIZES = (1_000, 10_000)
PARALLEL = 16
FIRST = IPv4Address("127.1.0.1")
"""Of the nodes' addresses: this machine's own, at which nobody listens on the port below."""

PORT = 9


def main() -> None:
    """Measure each size and print a line for it."""
    if sys.argv[1:2] == ["deploy"]:
        deploy(Path(sys.argv[2]))
        return
    print("nodes    deploy s  µs/node  MiB   again s  MiB   status s  MiB   growth of CPU")
    before: tuple[Measured, ...] = ()
    with tempfile.TemporaryDirectory() as directory:
        # one for all: ext4 takes its time to make files just after many were removed
        for nodes in SIZES:
            runs = measure(Path(directory, str(nodes)), nodes)
            print(line(nodes, runs, before), flush=True)
            before = runs


def line(nodes: int, runs: tuple[Measured, ...], before: tuple[Measured, ...]) -> str:
    """What is printed of one size; ``before`` is the size before."""
    first, again, status = runs
    text = f"{nodes:6}   {first.seconds:8.2f} {first.cpu * 1e6 / nodes:8.0f}"
    text += f" {mib(first)}  {again.seconds:8.2f} {mib(again)}  {status.seconds:9.2f}"
    text += f" {mib(status)}   "
    return text + " ".join(f"{now.cpu / then.cpu:.1f}" for now, then in zip(runs, before))


def mib(run: Measured) -> str:
    """Its memory, as wide as the column."""
    return f"{run.memory >> 20:4}"


def measure(root: Path, nodes: int) -> tuple[Measured, ...]:
    """A deploy, one more, and ``stackcook status``; the process's own start is in it."""
    manifest = write(root, nodes)
    own = [sys.executable, str(Path(__file__).resolve()), "deploy", str(manifest)]
    status = [sys.executable, "-m", "stackcook", "-f", str(manifest), "status"]
    runs = []
    for name, argv in (("first", own), ("again", own), ("status", status)):
        done = measured(
            *argv, cwd=root, env={"PYTHONPATH": str(ROOT)}, log=root.with_suffix(f".{name}")
        )
        if done.status:
            sys.exit(done.output[-2000:])
        runs.append(done)
    return tuple(runs)


def write(root: Path, nodes: int) -> Path:
    """A manifest of a controller, and compute nodes that wait for it."""
    names = [f"node-{number:05}" for number in range(nodes - 1)]
    entries = [" ".join(names[at : at + IN_A_LINE]) for at in range(0, len(names), IN_A_LINE)]
    seats = {
        name: {"address": str(FIRST + number), "port": PORT, "key": str(root / "key")}
        for number, name in enumerate(["controller", *names])
    }
    document = {
        "nodes": [
            {"controller": {"run_list": "role[controller]"}},
            *({entry: {"run_list": "role[compute]"}} for entry in entries),
        ],
        "roles": [{"controller": None}, {"compute": None}],
        "stackcook": {
            "machines": "ssh",
            "stages": [["controller"], ["compute"]],
            "passwords": {},
            "nodes": seats,
        },
    }
    (root / "roles").mkdir(parents=True)
    for role in ("controller", "compute"):
        (root / "roles" / f"{role}.json").write_text(json.dumps({"name": role}))
    (root / "key").write_text("")
    path = root / "infrastructure.yml"
    path.write_text(json.dumps(document))
    return path


def deploy(path: Path) -> None:
    """One deploy of that manifest, nodes and all else faked; ends the process with its code."""
    manifest, findings = read(path)
    if manifest is None:
        sys.exit("\n".join(map(str, findings)))
    site = FakeSite()
    with Console().run() as listener, State(manifest.state) as state:
        began = time.process_time()
        settings, last = Settings(parallel=PARALLEL), last_deploy(manifest.state)
        code = run(manifest, site, (state, listener), last=last, settings=settings)
        own = time.process_time() - began
    print(f"{own:.2f} s of CPU for {len(manifest.nodes)} nodes", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
