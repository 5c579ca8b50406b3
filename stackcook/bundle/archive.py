"""The file format of a bundle: a tar archive whose last member has the checksums of the others."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from stackcook.errors import NodeError, UsageError
from stackcook.files import DAMAGE, checksum, lock, pieces, private_directory, replacing

FORMAT = 1
CONTENTS = "bundle.json"
SUMS = "SHA256SUMS"
BOX = "box/lxc.box"
PACKAGES = "packages"
REPOSITORY = "repository"
COOKBOOKS = "cookbooks"
"""What Berkshelf and librarian-chef have resolved, each in a directory of its name."""

_AGAIN = "write it again with `stackcook bundle`"


@dataclass(frozen=True)
class Bundle:
    """A bundle that was unpacked into ``directory``.

    ``nodes`` has the file names of each node's packages, by release (``trixie-amd64``). ``box`` is
    the key of its Vagrant box; empty without one.
    """

    directory: Path
    nodes: Mapping[str, Mapping[str, tuple[str, ...]]]
    box: str = ""

    def room(self, node: str) -> int:
        """MiB that the packages of a node take, for the release that needs most."""
        sizes = (
            sum((self.directory / PACKAGES / name).stat().st_size for name in names)
            for names in self.nodes.get(node, {}).values()
        )
        return max(sizes, default=0) >> 20

    def has(self, node: str, release: str) -> bool:
        """Whether it has the packages of a node for that release."""
        return release in self.nodes.get(node, {})

    def packages(self, node: str, release: str) -> Mapping[str, Path]:
        """The packages of a node by file name. Raises NodeError if they are not there."""
        if not self.has(node, release):
            what = f"the bundle has no packages of this node for {release}"
            raise NodeError(what, where=node, remedy=_AGAIN)
        return {name: self.directory / PACKAGES / name for name in self.nodes[node][release]}

    def index(self, names: Iterable[str]) -> str:
        """The index (``Packages``) of these packages, as apt reads it."""
        text = (self.directory / PACKAGES / "Packages").read_text()
        stanzas = {
            line.removeprefix("Filename: ./"): stanza
            for stanza in text.split("\n\n")
            for line in stanza.splitlines()
            if line.startswith("Filename: ./")
        }
        return "".join(f"{stanzas[name]}\n\n" for name in names)

    @property
    def box_file(self) -> Path:
        """The file of the Vagrant box."""
        return self.directory / BOX


def write(path: Path, contents: Mapping[str, Any], files: Iterable[tuple[str, Path | str]]) -> int:
    """Write a bundle, mode 0600; returns its size in bytes.

    ``files`` are the names of its members, each with a file or a text. Raises UsageError if
    ``path`` can't be written.
    """
    sums: dict[str, str] = {}
    described = json.dumps({"format": FORMAT, **contents}, indent=1)
    with replacing(path) as file, tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in (*files, (CONTENTS, described)):
            if isinstance(content, Path):
                info = archive.gettarinfo(content.resolve(), name)
                with content.open("rb") as source:
                    sums[name] = _add(archive, info, source)
            else:
                sums[name] = _add_text(archive, name, content)
        _add_text(archive, SUMS, "".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    return path.stat().st_size


def unpack(path: Path, parent: Path) -> Bundle:
    """Unpack a bundle below ``parent``, unless it is there, and compare its checksums.

    Raises UsageError if it is no bundle, or damaged.
    """
    try:
        with tarfile.open(path):
            target = parent / checksum(path)[:16]
        with lock(private_directory(parent) / "lock"):
            if not target.exists():
                new = Path(tempfile.mkdtemp(dir=parent, prefix="new-"))
                try:
                    _extract(path, new)
                    new.rename(target)
                finally:
                    shutil.rmtree(new, ignore_errors=True)  # only there after a failure
        return _opened(path, target)
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UsageError(f"is not a bundle ({error})", where=str(path), remedy=_AGAIN) from error
    except OSError as error:
        what = f"cannot be unpacked ({error.strerror or error})"
        raise UsageError(what, where=str(path), remedy="check the path and free space") from error


def remove_others(bundle: Bundle) -> None:
    """Delete all other bundles that were unpacked beside this one; no command may use them."""
    for other in bundle.directory.parent.iterdir():
        if other.is_dir() and other != bundle.directory:
            shutil.rmtree(other)


def stream(files: Mapping[str, Path | str]) -> Iterator[bytes]:
    """A tar archive of files and texts in pieces, without a copy on disk."""
    for name, content in files.items():
        info = tarfile.TarInfo(name)
        info.mode = 0o644
        if isinstance(content, str):
            info.size = len(content.encode())
            yield info.tobuf()
            yield content.encode()
        else:
            info.size = content.stat().st_size
            yield info.tobuf()
            yield from pieces(content)
        yield bytes(-info.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _extract(path: Path, target: Path) -> None:
    sums: dict[str, str] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            parts = PurePosixPath(member.name).parts
            source = archive.extractfile(member) if member.isreg() else None
            if source is None or member.name.startswith("/") or ".." in parts:
                raise tarfile.TarError(f"unexpected member {member.name}")
            copied = target / member.name
            copied.parent.mkdir(parents=True, exist_ok=True)
            with source, copied.open("wb") as file:
                sums[member.name] = _copy(source, file)
            copied.chmod(member.mode & 0o755 | 0o600)
    if SUMS not in sums:
        raise tarfile.TarError(f"it has no {SUMS}")
    del sums[SUMS]
    lines = (line.partition("  ") for line in (target / SUMS).read_text().splitlines())
    wanted = {name: digest for digest, _, name in lines}
    for name in sorted(wanted.keys() | sums.keys()):
        if sums.get(name) != wanted.get(name):
            raise tarfile.TarError(f"{name} is damaged or missing")


def _opened(path: Path, directory: Path) -> Bundle:
    try:
        contents = json.loads((directory / CONTENTS).read_text())
        if contents["format"] != FORMAT:
            what = f"has format {contents['format']}, but this stackcook reads format {FORMAT}"
            raise UsageError(what, where=str(path), remedy=_AGAIN)
        nodes = {
            node: {release: tuple(names) for release, names in packages.items()}
            for node, packages in contents["nodes"].items()
        }
        return Bundle(directory, nodes, contents["box"])
    except DAMAGE as error:
        what = f"is not a bundle ({CONTENTS} cannot be read)"
        raise UsageError(what, where=str(path), remedy=_AGAIN) from error


def _add(archive: tarfile.TarFile, info: tarfile.TarInfo, source: IO[bytes]) -> str:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    reader = _Hashing(source)
    archive.addfile(info, reader)  # type: ignore[arg-type]  # it only reads
    return reader.digest.hexdigest()


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> str:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(text.encode()), 0o644
    return _add(archive, info, io.BytesIO(text.encode()))


class _Hashing:
    """Reads a file, and keeps the checksum of what was read."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._source.read(size)
        self.digest.update(piece)
        return piece


def _copy(source: IO[bytes], file: IO[bytes]) -> str:
    reader = _Hashing(source)
    while piece := reader.read(1 << 20):
        file.write(piece)
    return reader.digest.hexdigest()
