"""What the embedded server keeps on disk: is it whole, and which copy of it is good?

goiardi holds all in memory and writes ``data`` and ``index`` anew, once a second if something has
changed: to a temporary file first, which then takes the old one's place. Its cookbook files lie in
``files``, each named by its MD5.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from stackcook.errors import ChefServerError


@dataclass(frozen=True)
class Store:
    """The server's files in ``directory``."""

    directory: Path

    @property
    def data(self) -> Path:
        """All objects, users and keys."""
        return self.directory / "data"

    @property
    def index(self) -> Path:
        """What search looks into. It may be older than ``data``, and can be made anew from it."""
        return self.directory / "index"

    @property
    def files(self) -> Path:
        """The directory of cookbook files."""
        return self.directory / "files"

    @property
    def good(self) -> Path:
        """The last ``data`` that was known to be whole."""
        return self.directory / "data.good"

    def mark(self) -> tuple[int, int] | None:
        """Another value after each time that ``data`` was written."""
        try:
            stat = self.data.stat()
        except FileNotFoundError:
            return None
        return stat.st_ino, stat.st_mtime_ns

    def keep(self) -> None:
        """Remember the present ``data`` as good; costs nothing, it is never changed in place."""
        if not self.data.exists():
            return
        link = self.directory / "data.keeping"
        link.unlink(missing_ok=True)
        os.link(self.data, link)
        os.replace(link, self.good)

    def repair(self) -> None:
        """Leave only what is whole; the index goes, too. The server must not run.

        Raises ChefServerError if no whole data is left.
        """
        for pattern in ("ds-store*", "idx-build*"):
            for leftover in self.directory.glob(pattern):
                leftover.unlink()
        self.index.unlink(missing_ok=True)
        for file in self.files.iterdir():
            if hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() != file.name:
                file.unlink()
        if self.data.exists() and not _whole(self.data):
            os.replace(self.data, self.directory / "data.damaged")
        if not self.data.exists() and self.good.exists():
            if not _whole(self.good):
                raise ChefServerError(
                    "the data of the embedded Chef server is damaged",
                    where=str(self.data),
                    remedy=f"remove {self.directory} to begin anew, then deploy",
                )
            os.link(self.good, self.data)


def _whole(path: Path) -> bool:
    """Whether the file decompresses to its very end; its checksum is the last thing in it."""
    stream = zlib.decompressobj()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                stream.decompress(block)
    except zlib.error:
        return False
    return stream.eof
