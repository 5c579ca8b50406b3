"""Files on disk: replaced as a whole, private to the user, locked."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from stackcook.errors import UsageError

UNUSED = 30 * 24 * 3600.0
"""Seconds after which an unused file of the cache is removed."""


DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""What reading a damaged JSON file raises, also where its values have other types than they should.

OSError is also that of a time beyond all measure.
"""

NOT_PERMITTED = "run this as the owner of the file, or change its mode"
"""What helps if a file may not be read or written."""

_REMEDIES = {
    errno.EACCES: NOT_PERMITTED,
    errno.EPERM: NOT_PERMITTED,
    errno.EEXIST: "move this file away: stackcook needs a directory here",
    errno.ENOTDIR: "move this file away: stackcook needs a directory here",
    errno.EISDIR: "move this directory away: stackcook needs a file here",
    errno.EMFILE: "allow more open files: `ulimit -n 4096`",
    errno.ENAMETOOLONG: "use a shorter name",
    errno.ELOOP: "check the symbolic links in this path",
    errno.ENOSPC: "free some space on this disk",
    errno.EDQUOT: "free some space: your disk quota is used up",
    errno.EROFS: "work on a copy on a writable file system",
}
"""File errors that the user can fix."""

_UNTRACKED = (".stackcook", ".vagrant")
"""Directories that hold keys and passwords: git must not add them to the user's repository."""


def fault(error: Exception) -> UsageError | None:
    """The error for the user if it is one of files, which only the user can remedy; else None."""
    if not isinstance(error, OSError) or error.errno not in _REMEDIES:
        return None
    if not error.filename and error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE):
        return None  # only writing and making pipes fail without a file's name
    what = (error.strerror or str(error)).lower()
    return UsageError(what, where=str(error.filename or ""), remedy=_REMEDIES[error.errno])


def private_directory(path: Path) -> Path:
    """Make the directory and its missing parents with mode 0700; returns ``path``.

    A ``.stackcook`` or ``.vagrant`` gets a .gitignore that covers all its files.
    """
    if not path.is_dir():
        private_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    if path.name in _UNTRACKED and not (path / ".gitignore").exists():
        (path / ".gitignore").write_text("*\n")
    return path


def state_directory(manifest: Path) -> Path:
    """The directory beside the manifest that holds the state of its deployment."""
    return manifest.absolute().parent / ".stackcook"


def may_exist(path: Path) -> bool:
    """Whether the path exists; also true if it is in another user's directory, who alone can know.

    :meth:`Path.exists` raises PermissionError there, or says no, depending on Python's version.
    """
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def untrack(path: Path) -> None:
    """Add the file to the .gitignore beside it, unless a line there names it already."""
    ignoring = path.with_name(".gitignore")
    text = ignoring.read_text(errors="replace") if ignoring.exists() else ""
    if path.name not in {line.strip().strip("/") for line in text.splitlines()}:
        start = "\n" if text and not text.endswith("\n") else ""
        with ignoring.open("a") as file:
            file.write(f"{start}/{path.name}\n")


@contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """A new file that replaces ``path`` once it is complete and on disk; never half a file.

    The umask applies to ``mode``. Raises UsageError if ``path`` can't be a file.
    """
    _refuse(path)
    new = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}")
    with creating(path):
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def check_replaceable(path: Path) -> None:
    """Raise the error of :func:`replacing` now, not after the work whose result ``path`` gets."""
    _refuse(path)
    with creating(path), tempfile.TemporaryFile(dir=path.parent):
        pass


@contextmanager
def creating(path: Path) -> Iterator[None]:
    """Turn errors of creating a temporary file or directory for ``path`` into ones about it.

    Raises UsageError if no file can be created there, such as in /proc.
    """
    try:
        yield
    except FileNotFoundError as error:
        what, remedy = "nothing can be created in its directory", "choose another path"
        raise UsageError(what, where=str(path), remedy=remedy) from error
    except OSError as error:
        error.filename = str(path)
        raise


def is_special(path: Path) -> bool:
    """Whether ``path`` is a device or a pipe, or is /dev/stdout: a file there would break others.

    /dev/stdout is a link into /proc, to whatever this process writes to.
    """
    linked = path.is_symlink() and path.readlink().is_relative_to("/proc")
    return linked or path.exists() and not path.is_file() and not path.is_dir()


def _refuse(path: Path) -> None:
    """Raise UsageError unless ``path`` is a regular file, or could be one."""
    if not path.parent.is_dir():
        remedy = f"create {path.parent}, or choose another path"
        raise UsageError("its directory does not exist", where=str(path), remedy=remedy)
    if path.is_dir():
        raise UsageError("is a directory", where=str(path), remedy="use the path of a file")
    if is_special(path):
        what = "is a device or a pipe, which cannot be replaced by a file"
        raise UsageError(what, where=str(path), remedy="use the path of a file")


def write_private(path: Path, text: str) -> None:
    """Replace the file by ``text``, mode 0600, in a directory that is made if it is missing."""
    private_directory(path.parent)
    with replacing(path) as file:
        file.write(text.encode())


def keep(path: Path, text: str) -> None:
    """Write a file ``KIND-*.json`` of the cache, and remove those of its kind that are ``UNUSED``.

    Failures are ignored: without the cache, the next run only takes longer.
    """
    try:
        write_private(path, text)
        for other in path.parent.glob(f"{path.name.partition('-')[0]}-*{path.suffix}"):
            stat = other.stat()
            if max(stat.st_atime, stat.st_mtime) < time.time() - UNUSED:
                other.unlink()
    except (OSError, UsageError):
        pass


def pieces(path: Path) -> Iterator[bytes]:
    """The content of a file, in pieces of at most 1 MiB."""
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def lock(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock file ``path``, made if it is missing, against other processes and threads.

    With ``shared``, only against those that do not share it.
    """
    private_directory(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+") as file:
        try_lock(file, shared=shared, wait=True)
        yield


def try_lock(file: IO[Any], *, shared: bool = False, wait: bool = False) -> bool:
    """Lock an open file until it is closed; false if another one holds it, unless ``wait``."""
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
