#!/usr/bin/env python3
"""``stackcook upload`` beside knife and spiceweasel, on the same Chef server, in one run.

    make bench          all of it: under ten minutes on a machine that does nothing else
    make bench ARGS='--rounds 1 --cookbooks 4 --growth 8'    to see that it works

The repository has 40 cookbooks with 1,240 files, 20 roles and 3 environments; the server is
goiardi and checks signatures. *Cold* is a new server and a new home directory; *warm* is the same
again, with nothing changed; *one* is after one recipe was changed. The programs take turns; what
counts is the median of the rounds. After each run the server is asked whether all of it is there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.results import KNIFE, SPICEWEASEL, STACKCOOK, STATES, Measured, Runs
from benchmarks.stage import Failed, Stage

TOOLS = {
    STACKCOOK: ("stackcook", "upload"),
    KNIFE: ("knife", "upload", "/"),
    "knife cookbook upload -a": ("knife", "cookbook", "upload", "-a"),
    SPICEWEASEL: ("sh", "-c", "spiceweasel infrastructure.yml | sh -e"),
}
WITHOUT_ROLES = ("knife cookbook upload -a",)
ONCE = (SPICEWEASEL,)
"""The slowest, which works as hard when nothing changed: warm and one in the first round only."""

BUSY = 0.5
"""Load for each CPU above which figures say little."""


def main() -> int:
    """Measure and print; 1 if a program failed."""
    options = _options()
    load = os.getloadavg()
    if load[0] > BUSY * (os.cpu_count() or 1):
        print(f"bench: this machine is busy (load {load[0]:.1f}): don't trust it", file=sys.stderr)
    try:
        measured = _measure(options.rounds, options.cookbooks, options.growth)
    except Failed as failed:
        print(f"bench: {failed}", file=sys.stderr)
        return 1
    print(json.dumps(measured.data(load), indent=1) if options.json else measured.text())
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run")
    parser.add_argument("--cookbooks", type=int, default=40, help="in the repository")
    parser.add_argument("--growth", type=_sizes, default=(126, 400), help="more sizes: 126,400")
    parser.add_argument("--json", action="store_true", help="one document, with every run")
    return parser.parse_args()


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(",") if number)


def _measure(rounds: int, cookbooks: int, growth: Sequence[int]) -> Measured:
    measured = Measured(cookbooks)
    with _stage(cookbooks) as stage:
        for number in range(rounds):
            for tool in _turned(list(TOOLS), number):
                states = STATES if number == 0 or tool not in ONCE else STATES[:1]
                _run(stage, tool, states, measured.tools.setdefault(tool, {}))
    measured.tools = {tool: measured.tools[tool] for tool in TOOLS}
    measured.growth[cookbooks] = measured.tools[STACKCOOK]
    for size in growth:
        with _stage(size) as stage:
            for _ in range(rounds):
                _run(stage, STACKCOOK, STATES, measured.growth.setdefault(size, {}))
            if size == max(growth):
                measured.biggest_by_knife = _knife_once(stage)
    return measured


def _run(stage: Stage, tool: str, states: Sequence[str], runs: Runs) -> None:
    """A new server, then one run for each of the states."""
    stage.renew()
    for state in states:
        if state == "one":
            stage.change()
        run = stage.run(*TOOLS[tool])
        stage.check(roles=tool not in WITHOUT_ROLES)
        runs.setdefault(state, []).append(run)
        _note(f"{stage.cookbooks:4} cookbooks  {tool:24}  {state:4}  {run.seconds:7.2f} s")


def _knife_once(stage: Stage) -> str:
    stage.renew()
    try:
        said = f"{stage.run(*TOOLS[KNIFE]).seconds:.2f} s, once"
    except Failed as failed:
        said = f"left out: {str(failed).splitlines()[0][:200]}"
    _note(f"{stage.cookbooks:4} cookbooks  {KNIFE:24}  cold  {said}")
    return said


def _turned(tools: list[str], by: int) -> list[str]:
    """Each round begins with another one."""
    by %= len(tools)
    return tools[by:] + tools[:by]


@contextmanager
def _stage(cookbooks: int) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="stackcook-bench-") as directory:
        stage = Stage(Path(directory), cookbooks)
        try:
            yield stage
        finally:
            stage.close()


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
