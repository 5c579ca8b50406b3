"""``stackcook upload`` beside knife and spiceweasel, on the same Chef server, in one run.

    make bench          all of it: under ten minutes on a machine that does nothing else
    make bench ARGS='--rounds 1 --cookbooks 4 --growth 8'    to see that it works

The repository has 40 cookbooks with 1,240 files, 20 roles and 3 environments; the server is
goiardi and checks signatures. *Cold* is a new server and a new home directory; *warm* is the same
again, with nothing changed; *one* is after one recipe was changed. The programs take turns; what
counts is the fastest run of each, for all else that a machine does can only slow one down. After
each run the server is asked whether all of it is there.

knife is what `gem install` makes of it (benchmarks/gem_knife: once, two to five minutes more): it
works out at each start which versions of its gems go together. *Pinned*: that of `stackcook setup`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.results import (
    COOKBOOKS,
    KNIFE,
    PINNED,
    SPICEWEASEL,
    STACKCOOK,
    STATES,
    Measured,
    Runs,
)
from benchmarks.stage import Failed, Run, Stage, plain_knife


@dataclass(frozen=True)
class Tool:
    """A program that uploads; ``always`` and ``once`` are the states it is run in each round, and
    in the first one only: what is slow works as hard when nothing changed."""

    name: str
    argv: tuple[str, ...]
    always: tuple[str, ...] = STATES
    once: tuple[str, ...] = ()
    roles: bool = True
    path: Path | None = None

    def pinned(self) -> Tool:
        """With the knife of `stackcook setup`."""
        return replace(self, name=self.name + PINNED, path=None)


BUSY = 0.5
"""Load for each CPU above which figures say little."""


def main() -> int:
    """Measure and print; 1 if a program failed."""
    options = _options()
    load = os.getloadavg()
    if load[0] > BUSY * (os.cpu_count() or 1):
        print(f"bench: this machine is busy (load {load[0]:.1f}): don't trust it", file=sys.stderr)
    try:
        with tempfile.TemporaryDirectory(prefix="stackcook-bench-") as directory:
            tools = _tools(pinned_only=options.pinned_only)
            measured = _measure(Path(directory), tools, options)
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
    parser.add_argument("--pinned-only", action="store_true", help="no `gem install` of a knife")
    parser.add_argument("--json", action="store_true", help="one document, with every run")
    return parser.parse_args()


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(",") if number)


def _tools(*, pinned_only: bool) -> list[Tool]:
    path = None if pinned_only else plain_knife()
    knife = Tool(KNIFE, ("knife", "upload", "/"), path=path)
    every = ("knife", "cookbook", "upload", "-a")
    cookbooks = Tool(COOKBOOKS, every, always=(), once=STATES, roles=False, path=path)
    shell = ("sh", "-c", "spiceweasel infrastructure.yml | sh -e")
    spiceweasel = Tool(SPICEWEASEL, shell, always=STATES[:1], once=STATES[1:], path=path)
    pinned = [tool.pinned() for tool in (knife, cookbooks, spiceweasel)]
    return [
        Tool(STACKCOOK, ("stackcook", "upload")),
        *([knife, cookbooks, spiceweasel] if path else []),
        *(pinned if path is None else [replace(t, always=(), once=STATES) for t in pinned]),
    ]


def _measure(root: Path, tools: list[Tool], options: argparse.Namespace) -> Measured:
    measured = Measured(options.cookbooks)
    measured.tools = {tool.name: {} for tool in tools}
    with _stage(root, options.cookbooks) as stage:
        for number in range(options.rounds):
            for tool in _turned(tools, number):
                states = tool.always if number else (*tool.always, *tool.once)
                _run(stage, tool, states, measured.tools[tool.name])
    measured.growth[options.cookbooks] = measured.tools[STACKCOOK]
    for size in (size for size in options.growth if size != options.cookbooks):
        with _stage(root, size) as stage:
            for _ in range(options.rounds):
                _run(stage, tools[0], STATES, measured.growth.setdefault(size, {}))
            if size == max(options.growth):
                measured.biggest_by_knife = _once(stage, tools[1])
    return measured


def _run(stage: Stage, tool: Tool, states: Sequence[str], runs: Runs) -> None:
    """A turn of the program; one more if it fails, unless it is ours.

    knife sometimes does: "Digest::Base cannot be directly inherited", where its threads load that
    at once.
    """
    if not states:
        return
    try:
        turn = _turn(stage, tool, states)
    except Failed as failed:
        if tool.name == STACKCOOK:
            raise
        _note(f"once more: {str(failed)[-300:]}")
        turn = _turn(stage, tool, states)
    for state, run in turn.items():
        runs.setdefault(state, []).append(run)


def _turn(stage: Stage, tool: Tool, states: Sequence[str]) -> dict[str, Run]:
    """A new server, then one run for each of the states."""
    stage.renew()
    turn = {}
    for state in states:
        if state == "one":
            stage.change()
        turn[state] = run = stage.run(tool.argv, tool.path)
        stage.check(roles=tool.roles)
        _note(f"{stage.cookbooks:4} cookbooks  {tool.name:32}  {state:4}  {run.seconds:7.2f} s")
    return turn


def _once(stage: Stage, tool: Tool) -> str:
    stage.renew()
    try:
        said = f"{stage.run(tool.argv, tool.path).seconds:.2f} s, once"
    except Failed as failed:
        said = f"left out: {str(failed).splitlines()[0][:200]}"
    _note(f"{stage.cookbooks:4} cookbooks  {tool.name:32}  cold  {said}")
    return f"{tool.name}, cold: {said}"


def _turned(tools: list[Tool], by: int) -> list[Tool]:
    """Each round begins with another one."""
    by %= len(tools)
    return tools[by:] + tools[:by]


@contextmanager
def _stage(root: Path, cookbooks: int) -> Iterator[Stage]:
    directory = root / str(cookbooks)
    directory.mkdir()
    stage = Stage(directory, cookbooks)
    try:
        yield stage
    finally:
        stage.close()


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
