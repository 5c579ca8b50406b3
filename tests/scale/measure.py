"""A program measured from outside: seconds on the clock, CPU of its own, memory at most."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_EVERY = 0.2
"""Seconds between two looks at a process's memory; the kernel keeps the peak until it ends."""


@dataclass(frozen=True)
class Measured:
    """How a program went; ``cpu`` is in seconds, without its children's, ``memory`` in bytes."""

    status: int
    output: str
    seconds: float
    cpu: float
    memory: int


@dataclass
class Peak:
    """The most memory that a process had at once, in bytes, as far as it was seen."""

    pid: int
    memory: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look now and then, until told to end or the process has ended."""
        while (now := peak_of(self.pid)) is not None:
            self.memory = max(self.memory, now)
            if self._over.wait(_EVERY):
                return

    @contextmanager
    def watching(self) -> Iterator[Peak]:
        """Watch during the block."""
        thread = threading.Thread(target=self.watch)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()


def measured(
    *argv: str, cwd: Path, env: Mapping[str, str] | None = None, log: Path | None = None
) -> Measured:
    """Run a program to its end; what it prints goes to ``log``, if there is one, as it comes."""
    log = log or cwd / "output"
    began = time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen(
            argv, cwd=cwd, env={**os.environ, **(env or {})}, stdout=file, stderr=file
        )
        with Peak(process.pid).watching() as peak:
            # It has ended, but its numbers are there until somebody asks for its status.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            seconds, cpu = time.monotonic() - began, cpu_of(process.pid)
    status = process.wait()
    return Measured(status, log.read_text(errors="replace"), seconds, cpu, peak.memory)


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used, without its children's."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS


def peak_of(pid: int) -> int | None:
    """The most memory that a process had so far; None where it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    lines = (line.split() for line in status.splitlines() if line.startswith("VmHWM:"))
    return next((int(words[1]) << 10 for words in lines), None)
