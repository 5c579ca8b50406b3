"""Root file systems of containers, copied so that any number of containers can share the copy.

A container on a copy keeps its changes in a directory of its own (LXC's overlay).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stackcook.command import Command, Runner, as_root
from stackcook.command import run as run_command
from stackcook.errors import MachineError

SCRIPT = Path(__file__).with_name("layers.sh")


@dataclass(frozen=True)
class Layers:
    """Runs ``layers.sh`` as root; every method raises MachineError if it fails."""

    run: Runner = run_command

    def copy(self, container: str, directory: Path) -> int:
        """Copy the root file system of a stopped container into ``directory``; its size in bytes.

        The copy goes on if this process is killed.
        """
        return int(self._do("copy", container, str(directory), where=container))

    def create(self, container: str, directory: Path) -> None:
        """Make a stopped container that shares the copy in ``directory``."""
        self._do("create", container, str(directory), where=container)

    def used(self) -> Mapping[str, str]:
        """Container → its root file system: ``dir:PATH`` or ``overlay:SHARED:CHANGES``."""
        lines = (line.partition(":lxc.rootfs.path = ") for line in self._do("used").splitlines())
        return {Path(config).parent.name: root for config, _, root in lines}

    def sync(self, directory: Path) -> None:
        """Wait until all of the copies in ``directory`` is on the disk."""
        self._do("sync", str(directory), where=str(directory))

    def delete(self, *directories: Path) -> None:
        """Delete these, except those to which a copy is still being written."""
        if directories:
            self._do("delete", *map(str, directories), where=str(directories[0]))

    def _do(self, does: str, *arguments: str, where: str = "containers") -> str:
        argv = as_root("sh", str(SCRIPT), does, *arguments)
        done = self.run(Command(argv, apart=True))
        if done.status:
            remedy = "free some space on its disk" if "No space left" in done.errors else ""
            raise MachineError(f"cannot {does} it ({done.quoted})", where=where, remedy=remedy)
        return done.output
