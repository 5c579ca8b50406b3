"""``stackcook`` as its user starts it: a program of its own, its lines as they come, a sure end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from tests.output import document

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 1800.0
"""Seconds after which a program that has not ended counts as hanging."""

Tell = Callable[[str], None]


def command(manifest: str | Path, *arguments: str) -> tuple[str, ...]:
    """This checkout's stackcook on that manifest; it finds itself by :func:`environment` only."""
    return (sys.executable, "-m", "stackcook", "-f", str(manifest), *arguments)


def environment(**more: str) -> dict[str, str]:
    """Our own, with the checkout's place, and with ``more``."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


@dataclass(frozen=True)
class Done:
    """How a program ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Those on stderr."""
        return self.err.splitlines()

    @property
    def data(self) -> Any:
        """The data of the JSON document on stdout."""
        return document(self.out)["data"]

    @property
    def updated(self) -> dict[str, int]:
        """How many Chef resources each node's converge has changed, of a deploy with ``--json``."""
        return {name: node["updated"] for name, node in self.data["nodes"].items()}

    @property
    def errors(self) -> dict[str, str]:
        """What failed, by node, of a deploy with ``--json``."""
        return {error["node"]: error["error"] for error in self.data["errors"]}


class Started:
    """A program that runs, in a session of its own; it does not outlive a ``with``.

    ``tell`` gets each line as it comes, but with ``quiet`` none of stdout's.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        tell: Tell,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        quiet: bool = False,
    ) -> None:
        self.process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._out, self._err = list[str](), list[str]()
        self._news = threading.Condition()
        process = self.process
        assert process.stdin and process.stdout and process.stderr
        self._readers = (
            self._reading(process.stdout, self._out, None if quiet else tell),
            self._reading(process.stderr, self._err, tell),
        )
        with process.stdin:
            process.stdin.write(stdin)

    def wait_for(self, wanted: Callable[[Sequence[str]], bool]) -> list[str]:
        """Wait until ``wanted`` is true of what has come on stderr so far; returns those lines."""
        with self._news:
            while not wanted(lines := [line.rstrip("\n") for line in self._err]):
                ended = not any(reader.is_alive() for reader in self._readers)
                assert not ended, "it ended too early:\n" + "\n".join(lines[-20:])
                self._news.wait(1)
            return lines

    def ended(self, patience: float = LONGEST) -> Done:
        """Wait for its end; late, it is killed with its children. Raises TimeoutExpired then."""
        try:
            status = self.process.wait(patience)
        except BaseException:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
            raise
        finally:
            self.kill()
        return Done(status, "".join(self._out), "".join(self._err))

    def kill(self) -> None:
        """SIGKILL, if it still runs; not what it has started."""
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join(5)

    def __enter__(self) -> Started:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def _reading(self, stream: TextIO, into: list[str], tell: Tell | None) -> threading.Thread:
        reader = threading.Thread(target=self._read, args=(stream, into, tell))
        reader.start()
        return reader

    def _read(self, stream: TextIO, into: list[str], tell: Tell | None) -> None:
        for line in stream:
            with self._news:
                into.append(line)
                self._news.notify_all()
            if tell:
                tell(line.rstrip("\n"))
