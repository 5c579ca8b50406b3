"""Writes a report's file: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from stackcook.errors import UsageError


@contextmanager
def replacing(path: Path, mode: int | None = None) -> Iterator[IO[bytes]]:
    """A new file that takes the place of ``path`` once all is written.

    ``mode`` is the umask's unless it is given. Raises UsageError if it can't be written there.
    """
    _refuse(path)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask() if mode is None else mode)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _refuse(path: Path) -> None:
    if not path.parent.is_dir():
        remedy = f"make {path.parent}, or name another file"
        raise UsageError("its directory is not there", where=str(path), remedy=remedy)
    if path.is_dir():
        raise UsageError("is a directory", where=str(path), remedy="name a file")


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
