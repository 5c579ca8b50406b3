"""Keeps vendored cookbooks until their sources change."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackcook.chef.loader.findings import Findings
from stackcook.chef.resolvers.output import explain
from stackcook.command import Command, CommandError, Completed, Runner, find_program
from stackcook.command import run as run_command
from stackcook.errors import UsageError
from stackcook.files import lock, write_private
from stackcook.redact import Redactor

TIMEOUT = 900.0
"""Seconds that one run of a program may take, downloads included."""

ENVIRONMENT = {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0"}
"""Messages in English, and no prompts for a password."""

_KEY = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True)
class Programs:
    """How programs are found and run; replaced in tests."""

    find: Callable[[str], Path] = find_program
    run: Runner = run_command


@dataclass(frozen=True)
class Vendored:
    """A directory below ``.stackcook`` with the cookbooks that one program vendored last.

    They are in a directory named by the fingerprint of their sources, created atomically.
    """

    directory: Path

    @property
    def log(self) -> Path:
        """The output of the program's last run."""
        return self.directory / "log.txt"

    def kept(self, key: str) -> Mapping[str, Path] | None:
        """Name → directory of the cookbooks for ``key``; ``None`` if there are none."""
        directory = self.directory / key
        return _cookbooks(directory) if directory.is_dir() else None

    def last(self) -> Mapping[str, Path]:
        """As :meth:`kept`, for the last key."""
        directories = (path for path in self.directory.glob("*/") if _KEY.fullmatch(path.name))
        return next(map(_cookbooks, directories), {})

    @contextmanager
    def new(self) -> Iterator[Path]:
        """A path for new cookbooks, not created yet; removed at the end if still there.

        Holds a lock, so that other processes wait.
        """
        with lock(self.directory / "lock"):
            write_private(self.log, "")
            with tempfile.TemporaryDirectory(dir=self.directory, prefix="new-") as place:
                yield Path(place) / "cookbooks"

    def put(self, new: Path, key: str) -> Mapping[str, Path]:
        """Replace the kept cookbooks with those in ``new``; returns them as :meth:`kept`."""
        new.mkdir(exist_ok=True)
        # A cookbook that is a whole repository contains .git and .stackcook: not to be uploaded.
        for hidden in new.glob("*/.*"):
            if hidden.is_dir() and not hidden.is_symlink():
                shutil.rmtree(hidden)
        for old in self.directory.iterdir():
            if old.is_dir() and old != new.parent:
                shutil.rmtree(old)
        return _cookbooks(new.rename(self.directory / key))

    def run(self, command: Command, run: Runner) -> Completed:
        """Run the command and log its redacted output. Raises CommandError."""
        redact = Redactor()
        with self.log.open("a", encoding="utf-8", buffering=1) as log:
            log.write(f"$ {redact(str(command))}\n")

            def write(line: str) -> None:
                log.write(f"{redact(line)}\n")

            done = run(command, timeout=TIMEOUT, on_line=write)
        return Completed(done.status, redact(done.output))


def _cookbooks(place: Path) -> Mapping[str, Path]:
    return {path.name: path for path in sorted(place.iterdir()) if path.is_dir()}


def vendor(
    program: str,
    file: Path,
    vendored: Vendored,
    key: Callable[[], str],
    install: Callable[[Path], Completed],
    findings: Findings,
) -> Mapping[str, Path]:
    """The cookbooks of ``file``, as :meth:`Vendored.kept`; adds a finding if vendoring fails.

    ``install`` runs the program unless there are cookbooks for the present ``key``. The key may
    change while the program runs, because it writes a lock. After a failure the result is what was
    vendored last, so that these cookbooks are not reported as missing too.
    """
    log = f"see the output of {program} in {vendored.log}"
    try:
        kept = vendored.kept(key())
        if kept is not None:
            return kept
        with vendored.new() as new:
            done = install(new)
            if done.status == 0:
                return vendored.put(new, key())
        cause = explain(file, done.output)
        findings.error(file, cause.at, cause.what, f"{cause.remedy} ({log})")
    except UsageError:
        what = f"{program} is not installed, so its cookbooks are missing"
        gem = "berkshelf" if program == "berks" else program
        findings.error(file, None, what, f"install it with `make setup` or `gem install {gem}`")
    except CommandError as error:
        findings.error(file, None, f"{program}: {error.what}", log)
    except OSError as error:
        what = f"cannot vendor the cookbooks of {program} ({error.strerror})"
        remedy = "check permissions and free space"
        findings.error(Path(error.filename or file), None, what, remedy)
    return vendored.last()


def fingerprint(words: Iterable[str], files: Iterable[Path], directories: Iterable[Path]) -> str:
    """A text that changes with a word, a file's content or a file in the directories.

    A file in ``directories`` has changed if its size, time or inode has; hidden folders at their
    top, such as ``.git``, are ignored. A missing file counts as such.
    """
    digest = hashlib.sha256(repr(tuple(words)).encode())
    for file in files:
        digest.update(repr(file.read_bytes() if file.is_file() else None).encode())
    for directory in directories:
        for path, stat in _walk(directory):
            digest.update(repr((path, stat.st_size, stat.st_mtime_ns, stat.st_ino)).encode())
    return digest.hexdigest()[:24]


def _walk(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below ``directory`` with its status, sorted."""
    for folder, folders, files in os.walk(directory):
        top = Path(folder) == directory
        folders[:] = sorted(name for name in folders if not (top and name.startswith(".")))
        for path in (os.path.join(folder, name) for name in sorted(files)):
            yield path, os.stat(path) if os.path.exists(path) else os.lstat(path)
