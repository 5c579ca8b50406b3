"""The embedded server's files: whether they are complete, and the last good copy.

goiardi keeps everything in memory and rewrites ``data`` and ``index`` once a second if something
has changed, each by a temporary file that replaces the old one. Cookbook files are in ``files``,
each named by its MD5.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from pathlib import Path

from stackcook.errors import ChefServerError


class Store:
    """The server's files in ``directory``.

    ``data`` are all objects, users and keys, ``good`` the last ``data`` that was known to be
    complete. ``index`` may be older than ``data``, and can be rebuilt from it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.index = directory / "index"
        self.files = directory / "files"
        self.good = directory / "data.good"

    def mark(self) -> tuple[int, int] | None:
        """A value that changes whenever ``data`` is written."""
        try:
            stat = self.data.stat()
        except FileNotFoundError:
            return None
        return stat.st_ino, stat.st_mtime_ns

    def keep(self) -> None:
        """Remember the present ``data`` as good: a hard link, as it is never changed in place."""
        if not self.data.exists():
            return
        link = self.directory / "data.keeping"
        link.unlink(missing_ok=True)
        os.link(self.data, link)
        os.replace(link, self.good)

    def repair(self) -> None:
        """Remove what is incomplete, and the index. The server must not run.

        Raises ChefServerError if no complete data is left.
        """
        for pattern in ("ds-store*", "idx-build*"):
            for leftover in self.directory.glob(pattern):
                leftover.unlink()
        self.index.unlink(missing_ok=True)
        for file in self.files.iterdir():
            if hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() != file.name:
                file.unlink()
        if self.data.exists() and not _complete(self.data):
            os.replace(self.data, self.directory / "data.damaged")
        if not self.data.exists() and self.good.exists():
            if not _complete(self.good):
                raise ChefServerError(
                    "the data of the embedded Chef server is damaged",
                    where=str(self.data),
                    remedy=f"remove {self.directory} to start with an empty server, then run "
                    "`stackcook deploy`",
                )
            os.link(self.good, self.data)


def _complete(path: Path) -> bool:
    """Whether the file decompresses to its end, where its checksum is."""
    stream = zlib.decompressobj()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                stream.decompress(block)
    except zlib.error:
        return False
    return stream.eof
