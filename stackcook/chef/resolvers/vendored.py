"""Keeps vendored cookbooks until their sources change."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
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
    """The cookbooks that a program has vendored from ``file``, a Berksfile or a Cheffile.

    They are below ``directory``, in a directory named by the fingerprint of their sources, created
    atomically. ``paths`` finds the directories of path sources in the lock of the file.
    """

    program: str
    file: Path
    directory: Path
    paths: re.Pattern[str]
    programs: Programs
    options: tuple[str, ...] = ()

    @property
    def log(self) -> Path:
        """The output of the program's last run."""
        return self.directory / "log.txt"

    def cookbooks(
        self, install: Callable[[Path], Completed], findings: Findings
    ) -> Mapping[str, Path]:
        """Name → directory of each cookbook; adds a finding if vendoring fails.

        ``install`` runs the program, which puts the cookbooks into the path that it gets, unless
        there are cookbooks for the present sources. After a failure the result is what was vendored
        last, so that these cookbooks are not reported as missing too.
        """
        program, log = self.program, f"see the output of {self.program} in {self.log}"
        try:
            kept = self.directory / self._key()
            if kept.is_dir():
                return _cookbooks(kept)
            with lock(self.directory / "lock"):  # other processes wait
                write_private(self.log, "")
                with tempfile.TemporaryDirectory(dir=self.directory, prefix="new-") as place:
                    new = Path(place) / "cookbooks"
                    done = install(new)
                    if done.status == 0:
                        return self._put(new)
            cause = explain(self.file, done.output)
            findings.error(self.file, cause.at, cause.what, f"{cause.remedy} ({log})")
        except UsageError:
            what = f"{program} is not installed, so its cookbooks are missing"
            findings.error(self.file, None, what, "install it with `stackcook setup`")
        except CommandError as error:
            findings.error(self.file, None, f"{program}: {error.what}", log)
        except OSError as error:
            what = f"cannot vendor the cookbooks of {program} ({error.strerror})"
            remedy = "check permissions and free space"
            findings.error(Path(error.filename or self.file), None, what, remedy)
        old = (path for path in self.directory.glob("*/") if _KEY.fullmatch(path.name))
        return next(map(_cookbooks, old), {})

    def restore(self, source: Path) -> None:
        """Keep the cookbooks in ``source`` for the present sources, unless there are some."""
        kept = self.directory / self._key()
        with lock(self.directory / "lock"):
            if not kept.is_dir():
                with tempfile.TemporaryDirectory(dir=self.directory, prefix="new-") as place:
                    shutil.copytree(source, Path(place, "cookbooks")).rename(kept)

    def run(self, command: Command) -> Completed:
        """Run the command and log its redacted output. Raises CommandError."""
        redact = Redactor()
        with self.log.open("a", encoding="utf-8", buffering=1) as log:
            log.write(f"$ {redact(str(command))}\n")

            def write(line: str) -> None:
                log.write(f"{redact(line)}\n")

            done = self.programs.run(command, timeout=TIMEOUT, on_line=write)
        return Completed(done.status, redact(done.output))

    def _put(self, new: Path) -> Mapping[str, Path]:
        """Replace the kept cookbooks with those in ``new``."""
        new.mkdir(exist_ok=True)
        # A cookbook that is a whole repository contains .git and .stackcook: not to be uploaded.
        for hidden in new.glob("*/.*"):
            if hidden.is_dir() and not hidden.is_symlink():
                shutil.rmtree(hidden)
        for old in self.directory.iterdir():
            if old.is_dir() and old != new.parent:
                shutil.rmtree(old)
        # The program may have written the lock, which is part of the fingerprint.
        return _cookbooks(new.rename(self.directory / self._key()))

    def _key(self) -> str:
        """The fingerprint: it changes with the options, the file, its lock and the path sources.

        A file of a path source has changed if its size, time or inode has; hidden folders at the
        top, such as ``.git``, are ignored. A missing file counts as such.
        """
        lock_file = self.file.with_name(f"{self.file.name}.lock")
        locked = lock_file.read_text(errors="replace") if lock_file.is_file() else ""
        digest = hashlib.sha256(repr((str(self.file), *self.options)).encode())
        for file in (self.file, lock_file):
            digest.update(repr(file.read_bytes() if file.is_file() else None).encode())
        for source in self.paths.findall(locked):
            for path, stat in _walk(self.file.parent / source):
                digest.update(repr((path, stat.st_size, stat.st_mtime_ns, stat.st_ino)).encode())
        return digest.hexdigest()[:24]


def _cookbooks(place: Path) -> Mapping[str, Path]:
    return {path.name: path for path in sorted(place.iterdir()) if path.is_dir()}


def _walk(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below ``directory`` with its status, sorted."""
    for folder, folders, files in os.walk(directory):
        top = Path(folder) == directory
        folders[:] = sorted(name for name in folders if not (top and name.startswith(".")))
        for path in (os.path.join(folder, name) for name in sorted(files)):
            yield path, os.stat(path) if os.path.exists(path) else os.lstat(path)
