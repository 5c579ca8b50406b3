"""The Vagrant boxes of the lab's LXC machines; rebuilt only if their contents change.

The ordinary box has Debian and the Chef client. A warm box also has the packages of some nodes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path

from stackcook.cache import cache, package_cache
from stackcook.chef.repository.packages import Packages
from stackcook.client import FETCH, LOCK, collect
from stackcook.command import Command, Runner, Say, as_root, run
from stackcook.errors import MachineError, counted
from stackcook.files import lock

HERE = Path(__file__).parent
SCRIPT = HERE / "box.sh"
WARM = HERE / "warm.sh"
QUICK = HERE / "quick.sh"
"""Lets the client start faster. Only in the box: it is not how Chef or RubyGems start it."""

LOCKS = (LOCK, HERE / "quick.lock")
_RENEWED = "renewed"
"""An empty file beside a box that was built again, and dates from then."""

_MADE_OF = (SCRIPT, *LOCKS, QUICK)


@dataclass(frozen=True)
class Box:
    """A box: the ordinary one, or with ``packages`` a warm one."""

    packages: Packages = Packages()

    @cached_property
    def key(self) -> str:
        """A checksum of the ordinary box's inputs; a warm box has a second one for the rest."""
        ordinary = _checksum(*(path.read_bytes() for path in _MADE_OF))
        if not self.packages:
            return ordinary
        names = json.dumps(astuple(self.packages)).encode()
        return f"{ordinary}-{_checksum(WARM.read_bytes(), names)}"

    @property
    def name(self) -> str:
        """The box's name in Vagrant."""
        return f"stackcook-trixie-{self.key}"

    @property
    def path(self) -> Path:
        """The box's file; it may not have been built."""
        return cache() / "boxes" / self.key / "lxc.box"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the box against other processes that build or add it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with lock(self.path.with_name("lock")):
            yield

    def build(self, on_line: Say, *, again: bool = False, run: Runner = run) -> Path:
        """The box's file; built if it is missing, or ``again``, which takes minutes.

        Call it :meth:`locked`. Raises MachineError if the box can't be built.
        """
        if self.path.exists() and not again:
            return self.path
        new = self.path.with_suffix(".new")
        if self.packages:
            self._build_warm(new, on_line, run)
        else:
            self._build_ordinary(new, on_line, run)
        new.replace(self.path)
        if again:
            self.path.with_name(_RENEWED).touch()
        if self._in_vagrant.exists():
            shutil.rmtree(self._in_vagrant)  # the old one; the next deploy adds the new one
        return self.path

    def added(self) -> bool:
        """Whether Vagrant knows the box."""
        return (self._in_vagrant / "0" / "lxc" / "metadata.json").exists()

    @property
    def _in_vagrant(self) -> Path:
        home = Path(os.environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d")
        return home / "boxes" / self.name

    def _build_ordinary(self, new: Path, on_line: Say, run: Runner) -> None:
        on_line("building the Vagrant box (takes two to four minutes, only once)")
        with tempfile.TemporaryDirectory(prefix="stackcook-gems-") as collected:
            collect(Path(collected))
            argv = as_root("bash", str(SCRIPT), str(new), collected, str(FETCH), *map(str, LOCKS))
            self._run(argv, on_line, run)

    def _build_warm(self, new: Path, on_line: Say, run: Runner) -> None:
        with ORDINARY.locked():
            ordinary = ORDINARY.build(on_line, run=run)
        openstack, chef = self.packages.openstack, self.packages.chef
        on_line(f"building a warm box with {counted(len(openstack + chef), 'package')}")
        files = map(str, (WARM, new, ordinary, package_cache(self.name)))
        self._run(as_root("bash", *files, " ".join(openstack), " ".join(chef)), on_line, run)

    def _run(self, argv: tuple[str, ...], on_line: Say, run: Runner) -> None:
        done = run(Command(argv), on_line=on_line)
        if done.status:
            warm = " --warm" if self.packages else ""
            raise MachineError(
                "the box could not be built: " + " ".join(done.output.strip().splitlines()[-3:]),
                where=self.name,
                remedy=f"run `stackcook box build{warm}` to see the whole output",
            )


ORDINARY = Box()


def warm_boxes(packages: Mapping[str, Packages]) -> dict[Box, list[str]]:
    """The warm boxes for nodes with these packages, each with the names of its nodes."""
    boxes: dict[Box, list[str]] = {}
    for node, named in packages.items():
        boxes.setdefault(Box(named), []).append(node)
    return boxes


def any_warm() -> bool:
    """Whether a warm box was built on the ordinary box of today's scripts."""
    return any(cache().glob(f"boxes/{ORDINARY.key}-*/lxc.box"))


def renewals() -> Mapping[str, float]:
    """The key of each box that was built again → when, in seconds since the epoch."""
    marks = cache().glob(f"boxes/{ORDINARY.key}*/{_RENEWED}")
    return {mark.parent.name: mark.stat().st_mtime for mark in marks}


def _checksum(*contents: bytes) -> str:
    return hashlib.sha256(b"".join(contents)).hexdigest()[:12]
