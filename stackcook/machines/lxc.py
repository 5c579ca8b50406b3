"""This machine's LXC containers: list them, find their owners, stop and delete them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from stackcook.command import Command, Runner, as_root
from stackcook.command import run as run_command
from stackcook.errors import MachineError
from stackcook.files import may_exist


@dataclass(frozen=True)
class Containers:
    """Runs the ``lxc-*`` programs; every method raises MachineError if one fails."""

    run: Runner = run_command

    def names(self, *, running: bool = False) -> frozenset[str]:
        """All containers, or those that run."""
        output = self._do("lxc-ls", "-1", *(["--running"] if running else []))
        return frozenset(output.split())

    def owner(self, name: str) -> Path | None:
        """The directory of the manifest whose container it is; None if it was never started.

        It is in the path of the login key, which a hook names: the pre-start hook, if an older
        stackcook started it last.
        """
        hooks = ("--config", "lxc.hook.mount", "--config", "lxc.hook.pre-start")
        output = self._do("lxc-info", "--name", name, *hooks)
        found = re.search(r"(\S+)/\.stackcook/ssh/\S+\.pub", output)
        return Path(found[1]) if found else None

    def foreign(self, name: str, root: Path) -> Path | None:
        """The directory of another deployment that made the container, if it still exists."""
        owner = self.owner(name)
        return owner if owner and owner != root and may_exist(owner) else None

    def link(self, name: str, interface: int) -> str:
        """The bridge of its interface with that number; empty if it has no such interface."""
        output = self._do("lxc-info", "--name", name, "--config", f"lxc.net.{interface}.link")
        return output.partition("=")[2].strip()

    def address(self, name: str) -> str:
        """The address of its first interface; empty if it has none."""
        output = self._do("lxc-info", "--name", name, "--config", "lxc.net.0.ipv4.address")
        return output.partition("=")[2].strip().partition("/")[0]

    def stop(self, name: str, patience: int) -> None:
        """Shut it down, and wait up to ``patience`` seconds until it has stopped."""
        if name not in self.names(running=True):
            return
        argv = ("lxc-stop", "--nokill", "--timeout", str(patience), "--name", name)
        done = self.run(Command(as_root(*argv), apart=True))
        if done.status and name in self.names(running=True):
            what = f"has not shut down within {patience} s"
            raise MachineError(what, where=name, remedy=f"run `sudo lxc-stop --kill {name}`")

    def memory(self, name: str) -> int:
        """The memory that a running container uses, in bytes; 0 if it has just stopped."""
        output = self._do("lxc-info", "--name", name, "--stats", "--no-humanize")
        found = re.search(r"^Memory use:\s*(\d+)", output, re.MULTILINE)
        return int(found[1]) if found else 0

    def kill(self, name: str) -> None:
        """Stop it at once, if it runs."""
        if name in self.names(running=True):
            self._do("lxc-stop", "--kill", "--name", name)

    def destroy(self, name: str) -> None:
        """Delete it, running or not."""
        self._do("lxc-destroy", "--force", "--name", name)

    def _do(self, *argv: str) -> str:
        done = self.run(Command(as_root(*argv), apart=True))
        if done.status:
            raise MachineError(
                f"{argv[0]} failed ({done.quoted})",
                where=argv[argv.index("--name") + 1] if "--name" in argv else "containers",
                remedy="run stackcook as root, or set up passwordless sudo",
            )
        return done.output
