"""The Vagrant box of the lab's LXC machines; rebuilt only if its contents change."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stackcook.cache import cache
from stackcook.client import FETCH, LOCK, gems
from stackcook.command import Command, Runner, Say, as_root, run
from stackcook.errors import MachineError
from stackcook.files import lock

HERE = Path(__file__).parent
SCRIPT = HERE / "box.sh"
QUICK = HERE / "quick.sh"
"""Lets the client start faster. Only in the box: it is not how Chef or RubyGems start it."""

_LOCKS = (LOCK, HERE / "quick.lock")
_MADE_OF = (SCRIPT, *_LOCKS, QUICK)


def key() -> str:
    """A checksum of the box's inputs: the build scripts and the locked gems."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in _MADE_OF)).hexdigest()[:12]


def name() -> str:
    """The box's name in Vagrant."""
    return f"stackcook-trixie-{key()}"


def build(directory: Path, on_line: Say, *, again: bool = False, run: Runner = run) -> Path:
    """The box file in ``directory``; built if it is missing, or ``again``, which takes minutes.

    Call it :func:`locked`. Raises MachineError if the box can't be built.
    """
    box = directory / "lxc.box"
    if box.exists() and not again:
        return box
    on_line("building the Vagrant box (takes two to four minutes, only once)")
    new = box.with_suffix(".new")
    with tempfile.TemporaryDirectory(prefix="stackcook-gems-") as collected:
        _collect_gems(Path(collected))
        argv = as_root("bash", str(SCRIPT), str(new), collected, str(FETCH), *map(str, _LOCKS))
        done = run(Command(argv), on_line=on_line)
    if done.status:
        raise MachineError(
            "the box could not be built: " + " ".join(done.output.strip().splitlines()[-3:]),
            where=name(),
            remedy="run `stackcook box build` to see the whole output",
        )
    new.replace(box)
    return box


def added() -> bool:
    """Whether Vagrant knows the box."""
    home = Path(os.environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d")
    return (home / "boxes" / name() / "0" / "lxc" / "metadata.json").exists()


@contextmanager
def locked() -> Iterator[Path]:
    """Lock the directory of the box against other processes that build or add it; yields it."""
    directory = cache() / "boxes" / key()
    directory.mkdir(parents=True, exist_ok=True)
    with lock(directory / "lock"):
        yield directory


def _collect_gems(directory: Path) -> None:
    """Copy the gems that `make setup` downloaded to where the build looks for them."""
    for gem in (f"{name}-{version}.gem" for name, version in gems().items()):
        for path in (cache() / "gems").glob(f"*/cache/{gem}"):
            shutil.copyfile(path, directory / gem)
