"""MD5 sums of files, cached until size, times or inode of the file change."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackcook.files import keep

_FORMAT = 1
_BLOCK = 1 << 20
"""Bytes of a file that are read at once."""

RACY = 2_000_000_000
"""Nanoseconds: a file changed this recently may change again with the same time stamp, because file
systems have coarse clocks. Its sum is not cached."""

Mark = tuple[int, int, int, int]
"""What tells whether a file has changed: bytes, times of change in ns, inode."""


@dataclass
class Hashes:
    """The sums of one repository's files; ``path`` is the cache file."""

    path: Path
    _known: Mapping[str, Any]
    now: Callable[[], int] = time.time_ns
    _seen: dict[str, tuple[Mark, str]] = field(default_factory=dict)
    _changed: bool = False

    @classmethod
    def kept_in(cls, directory: Path, root: Path) -> Hashes:
        """The cached sums of the repository ``root``; empty if the cache is missing or damaged."""
        name = hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:16]
        path = directory / f"hashes-{name}.json"
        try:
            cached = json.loads(path.read_text())
            known = dict(cached["files"]) if cached["format"] == _FORMAT else {}
        except (OSError, ValueError, TypeError, KeyError):
            known = {}  # every file is read again
        return cls(path, known)

    def md5(self, path: str, stat: os.stat_result) -> str:
        """The sum in hex of the file with that ``stat``. Raises OSError."""
        mark = _mark(stat)
        kept = self._known.get(path)
        if isinstance(kept, list) and len(kept) == 2 and kept[0] == list(mark):
            self._seen[path] = (mark, str(kept[1]))
            return str(kept[1])
        begun = self.now()
        md5 = file_md5(path)
        # Not if it changed just now, or while it was read.
        if max(stat.st_mtime_ns, stat.st_ctime_ns) < begun - RACY and mark == _mark(os.stat(path)):
            self._seen[path] = (mark, md5)
            self._changed = True
        return md5

    def save(self) -> None:
        """Write new sums to the cache, which forgets other files once they are the majority."""
        if not self._changed:
            return
        others = {path: kept for path, kept in self._known.items() if path not in self._seen}
        files = {**(others if len(others) < len(self._seen) else {}), **self._seen}
        keep(self.path, json.dumps({"format": _FORMAT, "files": files}))


def file_md5(path: str | Path) -> str:
    """The sum in hex, read in blocks. Raises OSError."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _mark(stat: os.stat_result) -> Mark:
    return (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
