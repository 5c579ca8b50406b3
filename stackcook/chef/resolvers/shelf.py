"""Where cookbooks that another program brought are kept, until what they are made of changes."""

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

from stackcook.chef.resolvers.output import explain
from stackcook.chef.loader.findings import Findings
from stackcook.command import Command, CommandError, Completed, Run, find_program
from stackcook.command import run as run_command
from stackcook.errors import UsageError
from stackcook.files import lock, write_private
from stackcook.redact import Redactor

TIMEOUT = 900.0
"""Seconds that one run of a program may take: it may have a lot to download."""

ENVIRONMENT = {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0"}
"""Messages that can be read here, and nobody to ask for a password."""

_KEY = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True)
class Programs:
    """How programs are found and run; another one for tests."""

    find: Callable[[str], Path] = find_program
    run: Run = run_command


@dataclass(frozen=True)
class Shelf:
    """A directory below ``.stackcook`` with the cookbooks that one program brought last.

    They lie in a directory named by the key of what they are made of: it is there whole or not.
    """

    directory: Path

    @property
    def log(self) -> Path:
        """All that the program said, of its last run."""
        return self.directory / "log.txt"

    def kept(self, key: str) -> Mapping[str, Path] | None:
        """Name → directory of the cookbooks brought for ``key``; ``None`` if they never were."""
        place = self.directory / key
        return _cookbooks(place) if place.is_dir() else None

    def last(self) -> Mapping[str, Path]:
        """As :meth:`kept`, of whatever was brought last."""
        places = (path for path in self.directory.glob("*/") if _KEY.fullmatch(path.name))
        return next(map(_cookbooks, places), {})

    @contextmanager
    def new(self) -> Iterator[Path]:
        """A directory to bring cookbooks into, not made yet; removed at the end if still there.

        One process at a time: another one waits.
        """
        with lock(self.directory / "lock"):
            write_private(self.log, "")
            with tempfile.TemporaryDirectory(dir=self.directory, prefix="new-") as place:
                yield Path(place) / "cookbooks"

    def put(self, new: Path, key: str) -> Mapping[str, Path]:
        """Keep what was brought into ``new`` instead of what was kept; as :meth:`kept`."""
        new.mkdir(exist_ok=True)
        # A cookbook that is a whole repository has .git and .stackcook in it: not for uploading.
        for hidden in new.glob("*/.*"):
            if hidden.is_dir() and not hidden.is_symlink():
                shutil.rmtree(hidden)
        for old in self.directory.iterdir():
            if old.is_dir() and old != new.parent:
                shutil.rmtree(old)
        return _cookbooks(new.rename(self.directory / key))

    def run(self, command: Command, run: Run) -> Completed:
        """Run the command, its output masked and at once in the log. Raises CommandError."""
        redact = Redactor()
        with self.log.open("a", encoding="utf-8", buffering=1) as log:
            log.write(f"$ {redact(str(command))}\n")

            def write(line: str) -> None:
                log.write(f"{redact(line)}\n")

            done = run(command, timeout=TIMEOUT, on_line=write)
        return Completed(done.status, redact(done.output))


def _cookbooks(place: Path) -> Mapping[str, Path]:
    return {path.name: path for path in sorted(place.iterdir()) if path.is_dir()}


def bring(
    program: str,
    file: Path,
    shelf: Shelf,
    key: Callable[[], str],
    install: Callable[[Path], Completed],
    findings: Findings,
) -> Mapping[str, Path]:
    """The cookbooks of ``file``, as :meth:`Shelf.kept`; what keeps them from coming is noted.

    Then they are those that came last, so that nothing else is said to miss them. ``install`` runs
    the program, unless they are there for the present ``key``; that may be another one afterwards,
    because the program writes a lock.
    """
    log = f"what {program} said is in {shelf.log}"
    try:
        kept = shelf.kept(key())
        if kept is not None:
            return kept
        with shelf.new() as new:
            done = install(new)
            if done.status == 0:
                return shelf.put(new, key())
        said = explain(file, done.output)
        findings.error(file, said.at, said.what, f"{said.remedy} ({log})")
    except UsageError:
        what = f"{program} is not installed, so the cookbooks that it brings are not there"
        gem = "berkshelf" if program == "berks" else program
        findings.error(file, None, what, f"get it by `make setup`, or by `gem install {gem}`")
    except CommandError as error:
        findings.error(file, None, f"{program}: {error.what}", log)
    except OSError as error:
        what = f"{error.strerror}, and so {program} can't be asked for its cookbooks"
        findings.error(Path(error.filename or file), None, what, "give the permission, or the room")
    return shelf.last()


def fingerprint(words: Iterable[str], files: Iterable[Path], directories: Iterable[Path]) -> str:
    """Another text whenever a word, a file's content or a file in the directories is another.

    Files in ``directories`` count as another if size, time or inode is; those in hidden folders at
    their top, such as ``.git``, don't count. What isn't there counts as such.
    """
    digest = hashlib.sha256(repr(tuple(words)).encode())
    for file in files:
        digest.update(repr(file.read_bytes() if file.is_file() else None).encode())
    for directory in directories:
        for path, stat in _walk(directory):
            digest.update(repr((path, stat.st_size, stat.st_mtime_ns, stat.st_ino)).encode())
    return digest.hexdigest()[:24]


def _walk(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below, and what is known of it, always in the same order."""
    for folder, folders, files in os.walk(directory):
        top = Path(folder) == directory
        folders[:] = sorted(name for name in folders if not (top and name.startswith(".")))
        for path in (os.path.join(folder, name) for name in sorted(files)):
            yield path, os.stat(path) if os.path.exists(path) else os.lstat(path)
