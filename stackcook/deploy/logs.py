"""One log file a node: every line that its steps printed, run after run."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType


def path_of(state: Path, node: str) -> Path:
    """The node's log file under ``.stackcook``."""
    return state / "logs" / f"{node}.log"


class NodeLog:
    """The open log of one step on one node; appends, each line with the time of day."""

    def __init__(self, state: Path, node: str, step: str) -> None:
        path = path_of(state, node)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._file = os.fdopen(descriptor, "w", buffering=1, errors="replace")
        self._file.write(f"=== {time.strftime('%Y-%m-%d %H:%M:%S')} {node}: {step}\n")

    def __call__(self, line: str) -> None:
        self._file.write(f"{time.strftime('%H:%M:%S')} {line}\n")

    def __enter__(self) -> NodeLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error:
            self(str(error))
        self._file.close()
