"""MD5 sums of files, remembered as long as nothing about the file says that it has changed."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackcook.files import keep

_FORMAT = 1
_BLOCK = 1 << 20
"""Bytes of a file that are in memory while it is read."""

RACY = 2_000_000_000
"""Nanoseconds: a file that changed as short a time ago may change again unseen, as clocks of file
systems are coarse. Its sum is not remembered."""

Mark = tuple[int, int, int, int]
"""What tells a file from what it was: bytes, times of change in ns, inode."""


@dataclass
class Hashes:
    """The sums of one repository's files; ``path`` is where they are kept between runs."""

    path: Path
    now: Callable[[], int] = time.time_ns
    _known: dict[str, Any] = field(default_factory=dict)
    _seen: dict[str, tuple[Mark, str]] = field(default_factory=dict)
    _changed: bool = False

    @classmethod
    def kept_in(cls, directory: Path, root: Path) -> Hashes:
        """Those of the repository ``root``; none where what is kept can't be read."""
        name = hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:16]
        hashes = cls(directory / f"hashes-{name}.json")
        try:
            kept = json.loads(hashes.path.read_text())
            if kept["format"] == _FORMAT:
                hashes._known = dict(kept["files"])
        except (OSError, ValueError, TypeError, KeyError):
            pass  # then every file is read again, and they are kept anew
        return hashes

    def md5(self, path: str, stat: os.stat_result) -> str:
        """The sum in hex of the file with that ``stat``. Raises OSError if it can't be read."""
        mark = _mark(stat)
        kept = self._known.get(path)
        if isinstance(kept, list) and len(kept) == 2 and kept[0] == list(mark):
            self._seen[path] = (mark, str(kept[1]))
            return str(kept[1])
        begun = self.now()
        md5 = file_md5(path)
        # Not what was changed just now, nor while it was read.
        if max(stat.st_mtime_ns, stat.st_ctime_ns) < begun - RACY and mark == _mark(os.stat(path)):
            self._seen[path] = (mark, md5)
            self._changed = True
        return md5

    def save(self) -> None:
        """Keep what is new; of other files only while they are the fewer."""
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
