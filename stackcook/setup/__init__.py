"""Installs what stackcook uses on this machine: Debian packages, and gems in locked versions."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from stackcook.cache import programs
from stackcook.command import Command, Runner, Say, Secret, find_program
from stackcook.errors import UsageError

_HERE = Path(__file__).parent
GEM_LOCKS = (_HERE / "gems.lock", _HERE / "old-gems.lock")
"""The gems of this machine besides the Chef client, "name version" a line."""

_BY_HAND = "install what `stackcook doctor` lists with the package manager of this system"


@dataclass(frozen=True)
class Missing:
    """What is not installed: names of Debian packages, and the number of gems.

    ``unavailable`` are packages that no source of apt has; it is true without them.
    """

    packages: tuple[str, ...]
    gems: int
    unavailable: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.packages or self.gems)


def wanted() -> tuple[str, ...]:
    """The names of the Debian packages that stackcook uses."""
    lines = (_HERE / "packages.txt").read_text().splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def missing(run: Runner) -> Missing:
    """What :func:`install` would install. Raises UsageError on a system that is not Debian's."""
    try:
        find_program("dpkg-query")
    except UsageError as error:
        what = "this system has no dpkg: stackcook can install only Debian's packages"
        raise UsageError(what, remedy=_BY_HAND) from error
    lines = [*map(str.split, _output(run, "packages.sh", "--missing", *wanted()).splitlines())]
    gems = _output(run, "gems.sh", "--missing", str(programs()))
    return Missing(
        tuple(name for name, *unavailable in lines if not unavailable),
        int(gems.strip() or 0),
        tuple(name for name, *unavailable in lines if unavailable),
    )


def needs_password(run: Runner) -> bool:
    """Whether sudo would ask this user for a password. Raises UsageError if there is no sudo."""
    if os.geteuid() == 0:
        return False
    try:
        return run(Command((str(find_program("sudo")), "-n", "true"))).status != 0
    except UsageError as error:
        what = "Debian packages are missing, and sudo is not installed"
        raise UsageError(what, remedy="run `stackcook setup` as root, then as yourself") from error


def install(what: Missing, say: Say, run: Runner, *, password: Secret | None = None) -> None:
    """Install it; ``password`` is sudo's, if it asks for one. Raises UsageError."""
    if what.packages:
        argv = _argv("packages.sh", *what.packages)
        if os.geteuid() != 0:
            # sudo cannot ask at the terminal: what `run` starts has none.
            argv = (str(find_program("sudo")), *(("-S", "-p", "") if password else ("-n",)), *argv)
        stdin = Secret(f"{password.reveal()}\n") if password else None
        _install(Command(argv, stdin=stdin), say, run)
    if what.gems:
        _install(Command(_argv("gems.sh", str(programs()))), say, run)


def _install(command: Command, say: Say, run: Runner) -> None:
    def note(line: str) -> None:
        say(line.removeprefix("setup: "))

    done = run(command, on_line=note)
    if done.status:
        raise UsageError(f"cannot install: {done.last.removeprefix('setup: ')}")


def _argv(script: str, *arguments: str) -> tuple[str, ...]:
    return "bash", str(_HERE / script), *arguments


def _output(run: Runner, script: str, *arguments: str) -> str:
    done = run(Command(_argv(script, *arguments), apart=True))
    if done.status:
        raise UsageError(
            f"cannot find out what is installed: {done.quoted}",
            where=script,
            remedy="check that `dpkg-query -W`, `apt-cache policy` and `/usr/bin/ruby -v` work",
        )
    return done.output
