"""Downloads Debian packages and what they depend on, for any release, by apt."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import cached_property
from pathlib import Path

from stackcook.command import Command, Completed, Runner, Say, run
from stackcook.errors import UsageError
from stackcook.files import checksum
from stackcook.parallel import parallel_map

_URI = re.compile(r"'(?P<uri>[^']+)' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>\w{64})")
_EPOCH = re.compile(r"_\d+%3a")
_SUITE = re.compile(r"(?P<uri>\S+) (?P<suite>\S+?)(?P<pocket>|-updates|-security) main")


@dataclass(frozen=True)
class Apt:
    """apt for one release, beside the one of this machine: it neither needs nor changes that.

    ``release`` is a codename and an architecture, such as ``trixie-amd64``. ``directory`` is for
    its lists, ``archives`` for the packages. Methods raise UsageError if apt fails.
    """

    release: str
    directory: Path
    archives: Path
    run: Runner = run

    def update(self) -> None:
        """Read the index of the mirrors that apt on this machine uses."""
        for path in ("state/lists/partial", "cache/archives/partial"):
            (self.directory / path).mkdir(parents=True, exist_ok=True)
        (self.archives / "partial").mkdir(parents=True, exist_ok=True)
        # No package counts as installed: a host may have others, or older ones, than this machine.
        (self.directory / "status").touch()
        (self.directory / "sources.list").write_text("".join(self._sources()))
        self._apt("apt-get", "update")

    def known(self, names: Collection[str]) -> list[str]:
        """Those of ``names`` that the mirrors have, in order."""
        return [name for name in names if name in self._all]

    def download(self, names: Collection[str], say: Say, *, recommends: bool = False) -> list[str]:
        """Download packages and what they depend on; returns their names in ``archives``."""
        options = ("-y", "-o", f"APT::Install-Recommends={str(recommends).lower()}", "install")
        planned = self._apt("apt-get", "--print-uris", *options, *names).output
        found = [match for line in planned.splitlines() if (match := _URI.match(line))]
        missing = [each for each in found if not self._is_there(each)]
        if missing:
            size = sum(int(each["size"]) for each in missing) >> 20
            say(f"downloading {len(missing)} packages ({size} MB) for {self.release}")
            for each in missing:
                (self.archives / each["file"]).unlink(missing_ok=True)
            archives = ("-o", f"Dir::Cache::Archives={self.archives}")
            self._apt("apt-get", "--download-only", *archives, *options, *names)
        for each in found:
            if not self._is_there(each):
                what = f"{each['file']} is not what the mirror's index says"
                raise UsageError(what, where=each["uri"], remedy="try again later")
        return [each["file"] for each in found]

    @cached_property
    def _all(self) -> frozenset[str]:
        return frozenset(self._apt("apt-cache", "pkgnames").output.split())

    def _is_there(self, planned: re.Match[str]) -> bool:
        """Whether the file is in ``archives``, as the index describes it."""
        path = self.archives / planned["file"]
        return path.exists() and checksum(path) == planned["sha256"]

    def _sources(self) -> Iterator[str]:
        """The lines for this machine's Debian mirrors, with the release in place of its own."""
        codename = self.release.partition("-")[0]
        own = re.search(r"^VERSION_CODENAME=(\w+)", _os_release(), re.MULTILINE)
        form = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
        argv = ("apt-get", "indextargets", "--format", form, "Created-By: Packages")
        listed = dict.fromkeys(self.run(Command(argv, apart=True)).output.splitlines())
        found = [match for line in listed if (match := _SUITE.fullmatch(line))]
        mirrors = [each for each in found if own and each["suite"] == own[1]]
        if not mirrors:
            what = "apt on this machine has no mirror of its own Debian release"
            remedy = "run `stackcook bundle` on a Debian machine after `apt-get update`"
            raise UsageError(what, remedy=remedy)
        yield from (f"deb {m['uri']} {codename}{m['pocket']} main\n" for m in mirrors)

    def _apt(self, program: str, *arguments: str) -> Completed:
        codename, _, architecture = self.release.partition("-")
        settings = {
            "APT::Architecture": architecture,
            "APT::Sandbox::User": "root",  # another user could not write to these directories
            "APT::Update::Error-Mode": "any",
            "Acquire::ForceHash": "SHA256",
            "Acquire::Languages": "none",
            "Dir::State": str(self.directory / "state"),
            "Dir::State::status": str(self.directory / "status"),
            "Dir::Cache": str(self.directory / "cache"),
            "Dir::Etc::SourceList": str(self.directory / "sources.list"),
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
        }
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        quiet = ("-qq",) if program == "apt-get" else ()
        # Options that come later win: `download` has its own directory of archives.
        argv = (program, *quiet, *options, *arguments)
        done = self.run(Command(argv, env={"LC_ALL": "C.UTF-8"}, apart=True))
        if done.status:
            shown = shlex.join((program, *arguments[:2]))
            lines = (done.errors or done.output).strip().splitlines()[-3:]
            what = f"`{shown}` failed for {codename}: {' / '.join(lines) or 'no output'}"
            raise UsageError(what, remedy="check apt's mirrors on this machine, then try again")
        return done


def plain(file: str) -> str:
    """The name of a package's file as on a mirror, without the epoch (``1%3a``)."""
    return _EPOCH.sub("_", file, count=1)


def index(packages: Mapping[str, Path], run: Runner = run) -> str:
    """The index (``Packages``) of files beside it, for apt; raises UsageError for a broken file."""

    def stanza(item: tuple[str, Path]) -> str:
        name, path = item
        done = run(Command(("dpkg-deb", "--field", str(path)), apart=True))
        if done.status:
            raise UsageError(
                f"is not a Debian package ({done.quoted})",
                where=str(path),
                remedy="delete it, then run the command again, which gets it anew",
            )
        size = path.stat().st_size
        return f"{done.output}Filename: ./{name}\nSize: {size}\nSHA256: {checksum(path)}\n\n"

    return "".join(parallel_map(stanza, packages.items()))


def release_file(index: str) -> str:
    """The file ``Release`` beside an index: apt compares the index with it."""
    content = index.encode()
    digest = hashlib.sha256(content).hexdigest()
    return (
        f"Origin: stackcook\nSuite: bundle\nCodename: bundle\nDate: {formatdate(usegmt=True)}\n"
        f"SHA256:\n {digest} {len(content)} Packages\n"
    )


def _os_release() -> str:
    try:
        return Path("/etc/os-release").read_text()
    except OSError:
        return ""
