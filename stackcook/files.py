"""Files that are nobody else's business, replaced whole or not at all."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

UNUSED = 90 * 24 * 3600.0
"""Seconds after which a file of the cache is nobody's any more: its repository is gone, mostly."""


def private_directory(path: Path) -> Path:
    """Make the directory, and those above it, with mode 0700; returns ``path``."""
    if not path.is_dir():
        private_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def write_private(path: Path, text: str) -> None:
    """Replace the file by ``text``, mode 0600; a crash leaves the old one or the new one."""
    private_directory(path.parent)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def keep(path: Path, text: str) -> None:
    """Write a file ``KIND-*.json`` of the cache; those of its kind that are ``UNUSED`` go.

    What can't be written or removed, on a full disk for instance, costs the next run time only.
    """
    try:
        write_private(path, text)
        for other in path.parent.glob(f"{path.name.partition('-')[0]}-*{path.suffix}"):
            stat = other.stat()
            if max(stat.st_atime, stat.st_mtime) < time.time() - UNUSED:
                other.unlink()
    except OSError:
        pass
