"""A process that outlives us, and the proof that a process of that number is still the same."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from stackcook.files import write_private


@dataclass(frozen=True)
class Process:
    """A process by its number, when it started (kernel ticks since boot), and the boot."""

    pid: int
    started: int
    boot: str

    @classmethod
    def spawn(cls, argv: Sequence[str], log: Path, env: Mapping[str, str]) -> Process:
        """Start a program in a session of its own, its output at the end of ``log``."""
        appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawn(
            argv[0],
            tuple(argv),
            env,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), appending, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        return cls(pid, _started(pid) or 0, _boot())

    @classmethod
    def load(cls, path: Path) -> Process | None:
        """The process that the file tells of, dead or alive; ``None`` without such a file."""
        try:
            told = json.loads(path.read_text())
            return cls(int(told["pid"]), int(told["started"]), str(told["boot"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, path: Path) -> None:
        """Write the file that :meth:`load` reads."""
        write_private(path, json.dumps(asdict(self)))

    @property
    def alive(self) -> bool:
        """Whether it runs; another process that has got its number is not it."""
        return self.boot == _boot() and self.started == _started(self.pid)

    def end(self, patience: float) -> bool:
        """Ask it to end and wait ``patience`` seconds; whether it is gone."""
        if self.alive:
            os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + patience
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started(pid: int) -> int | None:
    """When the process started; ``None`` if there is none, or only what its parent has to reap."""
    try:
        os.waitpid(pid, os.WNOHANG)  # it may be our own child
    except ChildProcessError:
        pass
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before may hold anything
    state, threads, started = fields[0], int(fields[17]), int(fields[19])
    # Only the last of a dead process's threads closes its files and its listening socket.
    return None if state == "Z" and threads <= 1 else started
