"""A snapshot as one file: a tar archive of ``snapshot.json`` and ``files.tar.zst``.

``snapshot.json`` comes first and has the SHA-256 of the other, in which is all that the snapshot's
directory has. Both pass through in pieces; neither is ever in memory as a whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from stackcook.command import Command, as_root, run
from stackcook.errors import MachineError, UsageError
from stackcook.files import DAMAGE, replacing
from stackcook.snapshot.store import CONTENTS, Snapshot, read

FILES = "files.tar.zst"
_PIECE = 1 << 20
_TAR = ("--use-compress-program", "zstd -T0", "--numeric-owner", "--acls")
_XATTRS = ("--xattrs", "--xattrs-include=*")
_AGAIN = "write it again with `stackcook snapshot export`"


@dataclass(frozen=True)
class Content:
    """The files of a snapshot in an archive, ``file``, and the checksum that they should have."""

    path: Path
    file: IO[bytes]
    sha256: str


def write(snapshot: Snapshot, path: Path) -> int:
    """Write a snapshot to a file with mode 0600; returns its size in bytes.

    Raises UsageError if ``path`` can't be written, MachineError if the snapshot can't be read.
    """
    try:
        _write(snapshot, path)
    except OSError as error:
        what = f"cannot be written ({error.strerror or error})"
        remedy = "free some space, or choose another path"
        raise UsageError(what, where=str(path), remedy=remedy) from error
    return path.stat().st_size


def _write(snapshot: Snapshot, path: Path) -> None:
    with replacing(path) as file:
        _write_contents(file, snapshot, "0" * 64)  # replaced below by a text of the same length
        header = file.tell()
        file.write(bytes(tarfile.BLOCKSIZE))
        digest, size = hashlib.sha256(), 0
        for piece in _packed(snapshot):
            digest.update(piece)
            size += file.write(piece)
        file.write(bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE))
        file.seek(header)
        file.write(_header(FILES, size))
        file.seek(0)
        _write_contents(file, snapshot, digest.hexdigest())


@contextmanager
def opened(path: Path) -> Iterator[tuple[Snapshot, Content]]:
    """What an archive says that it has, and its files to unpack; raises UsageError."""
    with _refused(path):
        archive = tarfile.open(path, "r:")
    with archive:
        with _refused(path):
            first, second = archive.next(), archive.next()
            names = [each.name for each in (first, second) if each and each.isreg()]
            if names != [CONTENTS, FILES] or not first or not second:
                raise tarfile.TarError("it has other members")
            text, files = archive.extractfile(first), archive.extractfile(second)
            assert text and files
            found = json.loads(text.read())
            sha256 = str(found.pop("sha256"))
            snapshot = read(Path(), json.dumps(found), str(path))
        yield snapshot, Content(path, files, sha256)


def has(path: Path, snapshot: Snapshot) -> bool:
    """Whether this snapshot was written to the file; its checksum is not verified."""
    try:
        with opened(path) as (described, _):
            return described.described() == snapshot.described()
    except UsageError:  # there is no such file, or it is no snapshot
        return False


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    """Turn errors of reading an archive into UsageError."""
    try:
        yield
    except (tarfile.TarError, *DAMAGE) as error:
        raise UsageError(f"is not a snapshot ({error})", where=str(path), remedy=_AGAIN) from error


def unpack(snapshot: Snapshot, content: Content, directory: Path) -> Snapshot:
    """Unpack into an empty directory, and check all of it; the snapshot, now in this directory.

    Raises UsageError if the file is damaged, MachineError if it can't be unpacked.
    """
    digest = hashlib.sha256()
    argv = as_root("tar", "--extract", *_TAR, *_XATTRS, "--directory", str(directory))
    broken = ""
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        try:
            with subprocess.Popen(argv, env=_env(), stdin=subprocess.PIPE, stderr=errors) as tar:
                assert tar.stdin
                while piece := content.file.read(_PIECE):
                    digest.update(piece)
                    tar.stdin.write(piece)
        except BrokenPipeError:
            pass  # tar has ended, and its status says why
        except tarfile.TarError as error:
            broken = str(error)
        lines = _lines(errors)
    full = next((line for line in lines if "No space left" in line), None)
    if full:
        raise MachineError(
            f"cannot be unpacked ({full})", where=str(directory), remedy="free some space"
        )
    if broken or tar.returncode or digest.hexdigest() != content.sha256:
        why = broken or (lines[0] if tar.returncode else "its checksum is wrong")
        raise UsageError(f"is damaged ({why})", where=str(content.path), remedy=_AGAIN)
    found = replace(snapshot, directory=directory)
    for name in found.nodes:
        if not (found.layers / name / "rootfs").is_dir():
            raise UsageError(f"has no files of {name}", where=str(content.path), remedy=_AGAIN)
    # Unlike the files of nodes, the state is the user's, who may have another number here.
    owner = f"{os.getuid()}:{os.getgid()}"
    run(Command(as_root("chown", "--recursive", owner, str(directory / "state"))))
    return found


def _packed(snapshot: Snapshot) -> Iterator[bytes]:
    """All files of a snapshot as a compressed tar archive, in pieces."""
    argv = as_root(
        *("tar", "--create", *_TAR, *_XATTRS, "--directory", str(snapshot.directory)),
        *("nodes", "state"),
    )
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        with subprocess.Popen(argv, env=_env(), stdout=subprocess.PIPE, stderr=errors) as tar:
            assert tar.stdout
            while piece := tar.stdout.read(_PIECE):
                yield piece
        if tar.returncode:
            what = f"cannot be read ({_lines(errors)[0]})"
            raise MachineError(what, where=snapshot.name, remedy="check its files and zstd")


def _env() -> dict[str, str]:
    """The environment for tar, whose messages are read."""
    return {**os.environ, "LC_ALL": "C"}


def _lines(errors: IO[str]) -> list[str]:
    """What tar and zstd have said: the first line tells most, the last only that it has failed."""
    errors.seek(0)
    return [line.strip() for line in errors if line.strip()] or ["no output"]


def _write_contents(file: IO[bytes], snapshot: Snapshot, sha256: str) -> None:
    text = json.dumps(snapshot.described() | {"sha256": sha256}, indent=1).encode()
    file.write(_header(CONTENTS, len(text)))
    file.write(text + bytes(-len(text) % tarfile.BLOCKSIZE))


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)
