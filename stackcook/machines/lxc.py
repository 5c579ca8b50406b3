"""This machine's LXC containers: which there are, whose they are, and the end of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from stackcook.command import Command, Run
from stackcook.command import run as run_command
from stackcook.errors import MachineError
from stackcook.machines.root import as_root


@dataclass(frozen=True)
class Containers:
    """What ``lxc-*`` programs say and do; all of it raises MachineError when they fail."""

    run: Run = run_command

    def names(self, *, running: bool = False) -> frozenset[str]:
        """All of them, or those that run."""
        output = self._do("lxc-ls", "-1", *(["--running"] if running else []))
        return frozenset(output.split())

    def owner(self, name: str) -> Path | None:
        """The directory of the manifest that made a container; None if it never was started.

        The pre-start hook names the login key, which lies there.
        """
        output = self._do("lxc-info", "--name", name, "--config", "lxc.hook.pre-start")
        found = re.search(r"(\S+)/\.stackcook/ssh/\S+\.pub", output)
        return Path(found[1]) if found else None

    def foreign(self, name: str, root: Path) -> Path | None:
        """The directory of another deployment, if it has made that container and is still there."""
        owner = self.owner(name)
        return owner if owner and owner != root and owner.exists() else None

    def kill(self, name: str) -> None:
        """Stop it without asking it; one that doesn't run is no failure."""
        if name in self.names(running=True):
            self._do("lxc-stop", "--kill", "--name", name)

    def destroy(self, name: str) -> None:
        """Take it away, running or not."""
        self._do("lxc-destroy", "--force", "--name", name)

    def _do(self, *argv: str) -> str:
        done = self.run(Command(as_root(*argv)))
        if done.status:
            raise MachineError(
                f"{argv[0]} failed ({done.output.strip()})",
                where=argv[argv.index("--name") + 1] if "--name" in argv else "containers",
                remedy="it needs root, or sudo without a password",
            )
        return done.output
