"""Runs programs on this machine, passes on their output, and masks secrets.

A secret is passed to a program by environment or standard input, wrapped in :class:`Secret`; in
everything that is shown of the program's output or failure, it is replaced by ``****``.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from stackcook.cache import programs
from stackcook.errors import ExitCode, StackcookError, UsageError, one_line
from stackcook.log import shown
from stackcook.parallel import parallel_map
from stackcook.redact import MASK, Redactor

Say = Callable[[str], None]
"""Takes a line: of progress, or one that a program printed."""

_log = logging.getLogger(__name__)

TERMINATION_GRACE = 5.0
"""Seconds between asking a program to end and killing it."""

_QUOTED = 300
"""Characters of a program's output that a message quotes."""

_running: set[subprocess.Popen[str]] = set()
"""The programs that run now, of all threads: a process has no other list of these."""


class Secret:
    """A text that shows itself only to :meth:`reveal`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself; for the program that needs it, never for a log."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"


@dataclass(frozen=True)
class Command:
    """A program and its arguments; ``env`` is laid over this process's environment.

    ``apart`` keeps warnings on stderr out of ``output``; for output that is parsed.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str | Secret] = field(default_factory=dict)
    cwd: Path | None = None
    stdin: str | Secret | None = None
    apart: bool = False

    def __str__(self) -> str:
        """The command as it could be typed; what ``env`` and ``stdin`` hold is not in it."""
        return shlex.join(self.argv)


@dataclass(frozen=True)
class Completed:
    """How a command ended: its status, and stdout and stderr in the order they came.

    If they are kept apart, ``output`` is only stdout, and ``errors`` is stderr.
    """

    status: int
    output: str
    errors: str = ""

    @property
    def last(self) -> str:
        """The last line that isn't blank; often why it failed."""
        return last_line(self.output + self.errors)

    @property
    def quoted(self) -> str:
        """The beginning of what it printed, as one line without secrets, for a message."""
        text = one_line(Redactor()(self.output + self.errors)) or "no output"
        return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"


def last_line(output: str) -> str:
    """The last line of a program's output that isn't blank, or ``no output``."""
    return next((line.strip() for line in output.splitlines()[::-1] if line.strip()), "no output")


class CommandError(StackcookError):
    """A program cannot be started, or did not finish in time; exit code as UsageError."""

    exit_code = ExitCode.USAGE


class Runner(Protocol):
    """What runs a command: :func:`run`, or a fake."""

    def __call__(
        self,
        command: Command,
        *,
        on_line: Say | None = None,
        timeout: float | None = None,
        on_start: Callable[[Callable[[], None]], None] | None = None,
    ) -> Completed:
        ...


def find_program(name: str) -> Path:
    """The path of the program ``name``: of `stackcook setup`, beside this Python, or on PATH.

    Raises UsageError if it is not found.
    """
    path = (programs(), Path(sys.executable).parent, os.environ.get("PATH", os.defpath))
    # Debian keeps administrators' programs off other users' PATH; some of them we only ask.
    found = shutil.which(name, path=os.pathsep.join(map(str, (*path, "/usr/sbin", "/sbin"))))
    if found is None:
        raise UsageError(
            f"{name} is not installed", remedy="run `stackcook doctor` to see how to install it"
        )
    return Path(found)


def as_root(name: str, *arguments: str) -> tuple[str, ...]:
    """The argv that runs a program as root: with passwordless sudo, unless this process is root."""
    argv = (str(find_program(name)), *arguments)
    return argv if os.geteuid() == 0 else (str(find_program("sudo")), "-n", *argv)


def run(
    command: Command,
    *,
    on_line: Say | None = None,
    timeout: float | None = None,
    on_start: Callable[[Callable[[], None]], None] | None = None,
) -> Completed:
    """Run ``command`` to its end; what a status other than 0 means is up to the caller.

    ``on_line`` gets each line of ``output``, masked, as it comes. ``on_start`` gets a
    function that ends the command early, for another thread to call. ``timeout`` is in seconds for
    the whole command. Raises CommandError if it can't be started or exceeds the timeout; then, and
    when this process is interrupted, the command and all that it started are ended.
    """
    began, outcome = time.monotonic(), "failed"
    try:
        done = _run(command, on_line, timeout, on_start)
        outcome = f"exit {done.status}"
        return done
    finally:
        line = shown(_Mask(command)(str(command)))
        spent = time.monotonic() - began
        _log.info("%s: %s in %.2f s", line, outcome, spent)


def _run(
    command: Command,
    on_line: Say | None,
    timeout: float | None,
    on_start: Callable[[Callable[[], None]], None] | None,
) -> Completed:
    errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
    process = _start(command, errors)
    _running.add(process)
    mask, lines = _Mask(command), list[str]()
    feeder = threading.Thread(target=_feed, args=(process, command.stdin), daemon=True)
    try:
        with _limited(process, timeout) as expired:
            feeder.start()
            if on_start:
                on_start(lambda: _end(process))
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(mask(line))
                if on_line:
                    on_line(lines[-1].rstrip("\n"))
            status = process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        _running.discard(process)
        if process.stdout:
            process.stdout.close()
    if expired.is_set():
        # Without its arguments: a user's may have a password.
        raise CommandError(
            f"did not finish within {timeout:g} s",
            where=command.argv[0],
            remedy="try again, with -v to see the whole command",
        )
    with errors:
        errors.seek(0)
        return Completed(status, "".join(lines), mask(errors.read()))


def end_all() -> None:
    """End all programs that other threads run; for a process that exits without waiting for them.

    They are in groups of their own: otherwise they would go on.
    """

    def end(process: subprocess.Popen[str]) -> None:
        with suppress(OSError):  # of a program that runs as root
            _end(process)

    parallel_map(end, tuple(_running), workers=32)


@contextmanager
def _limited(process: subprocess.Popen[str], timeout: float | None) -> Iterator[threading.Event]:
    """End the process when its time is over; the event says whether that has happened."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        _end(process)

    timer = threading.Timer(timeout or 0, expire)
    timer.daemon = True
    if timeout is not None:
        timer.start()
    try:
        yield expired
    finally:
        timer.cancel()


def _start(command: Command, errors: IO[str]) -> subprocess.Popen[str]:
    env = dict(os.environ)
    env.update({name: _plain(value) for name, value in command.env.items()})
    try:
        return subprocess.Popen(
            command.argv,
            env=env,
            cwd=command.cwd,
            stdin=subprocess.DEVNULL if command.stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors if command.apart else subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            # A group of its own: a timeout ends grandchildren too, and Ctrl-C is ours to pass on.
            start_new_session=True,
        )
    except OSError as error:
        raise CommandError(
            f"cannot be started ({error.strerror})",
            where=command.argv[0],
            remedy="run `stackcook doctor` to see what is missing",
        ) from error


def _feed(process: subprocess.Popen[str], text: str | Secret | None) -> None:
    stdin: IO[str] | None = process.stdin
    if stdin is None or text is None:
        return
    try:
        stdin.write(_plain(text))
        stdin.close()
    except (BrokenPipeError, ValueError):
        pass  # it ended without reading all; its status says whether that was right


def _end(process: subprocess.Popen[str]) -> None:
    """End the process group: asked first, killed after the grace."""
    for signum, patience in ((signal.SIGTERM, TERMINATION_GRACE), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, signum)
        except ProcessLookupError:
            pass  # nothing of the group is left
        except PermissionError:  # of sudo, and of what it runs
            argv = as_root("sh", "-c", f"kill -{signum:d} -{process.pid}")
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            if done.returncode and process.poll() is None:
                raise
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        if signum is signal.SIGTERM:
            continue  # the leader is gone; what it started may have ignored the signal
        return


def _plain(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


class _Mask:
    """Replaces a command's secrets, each line of them, by ``****``."""

    def __init__(self, command: Command) -> None:
        values = (*command.env.values(), command.stdin)
        texts = [value.reveal() for value in values if isinstance(value, Secret)]
        lines = {line.strip() for text in texts for line in text.splitlines()}
        self._texts = sorted(filter(None, lines), key=len, reverse=True)

    def __call__(self, line: str) -> str:
        for text in self._texts:
            line = line.replace(text, MASK)
        return line
