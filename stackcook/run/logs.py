"""One log file for each node: every line that its steps printed, run after run."""

from __future__ import annotations

import os
import time
import traceback
from pathlib import Path

from stackcook.errors import NodeError, StackcookError
from stackcook.files import private_directory


def path_of(state: Path, node: str) -> Path:
    """The node's log file under ``.stackcook``."""
    return state / "logs" / f"{node}.log"


class NodeLog:
    """The open log of one step on one node; appends, each line with the time of day in UTC.

    The last line says why a step failed; after an internal error, the last lines are its traceback.
    Raises NodeError if the file can't be written.
    """

    def __init__(self, state: Path, node: str, step: str) -> None:
        self._path = path_of(state, node)
        try:
            self._file = self._opened()
        except OSError as error:
            raise self._failed(error) from error
        self._write(f"=== {_now('%Y-%m-%dT%H:%M:%SZ')} {node}: {step}\n")

    def __call__(self, line: str) -> None:
        self._write(f"{_now('%H:%M:%SZ')} {line}\n")

    def __enter__(self) -> NodeLog:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if isinstance(error, StackcookError):
                self(str(error))
            elif error:
                self("".join(traceback.format_exception(error)))
        finally:
            os.close(self._file)

    def _opened(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        try:
            return os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            private_directory(self._path.parent)
            return os.open(self._path, flags, 0o600)

    def _write(self, text: str) -> None:
        try:
            os.write(self._file, text.encode(errors="replace"))
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> NodeError:
        return NodeError(
            f"cannot write the log ({error.strerror})",
            where=str(self._path),
            remedy="free some disk space, or fix the permissions of the file",
        )


def _now(form: str) -> str:
    # The clock that the steps' times come from. That of strftime lags by some milliseconds: it may
    # show the second before, and the report would not find the lines of a step.
    return time.strftime(form, time.gmtime(time.time()))
