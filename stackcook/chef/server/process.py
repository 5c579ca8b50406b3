"""A process that outlives stackcook, recognized even after its number was given to another one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
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
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as output:
            pid = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,
            ).pid
        return cls(pid, _started(pid) or 0, _boot())

    @classmethod
    def load(cls, path: Path) -> Process | None:
        """The process that the file describes, dead or alive; ``None`` without such a file."""
        try:
            data = json.loads(path.read_text())
            return cls(int(data["pid"]), int(data["started"]), str(data["boot"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, path: Path) -> None:
        """Write the file that :meth:`load` reads."""
        write_private(path, json.dumps(asdict(self)))

    @property
    def alive(self) -> bool:
        """Whether it runs; another process with the same number does not count."""
        return self.boot == _boot() and self.started == _started(self.pid)

    def end(self, patience: float) -> bool:
        """Terminate it and wait up to ``patience`` seconds; whether it has ended."""
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
    """When the process started; ``None`` if there is none, or only a zombie."""
    try:
        os.waitpid(pid, os.WNOHANG)  # it may be our own child
    except ChildProcessError:
        pass
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before may contain anything
    state, threads, started = fields[0], int(fields[17]), int(fields[19])
    # Only the last of a dead process's threads closes its files and its listening socket.
    return None if state == "Z" and threads <= 1 else started
