"""The Vagrant box of the lab's LXC machines, built once for what it is made of."""

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
from stackcook.command import Command, Run, run
from stackcook.errors import MachineError
from stackcook.files import lock
from stackcook.machines.base import LineListener
from stackcook.machines.root import as_root

HERE = Path(__file__).parent
SCRIPT = HERE / "box.sh"
QUICK = HERE / "quick.sh"
"""Lets the client start faster. Only in the box: it is not how Chef or RubyGems start it."""

_LOCKS = (LOCK, HERE / "quick.lock")
_MADE_OF = (SCRIPT, *_LOCKS, QUICK)


def key() -> str:
    """A checksum of what the box is made of: the scripts with their packages, the locked gems."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in _MADE_OF)).hexdigest()[:12]


def name() -> str:
    """What Vagrant calls the box."""
    return f"stackcook-trixie-{key()}"


def build(directory: Path, on_line: LineListener, *, again: bool = False, run: Run = run) -> Path:
    """The box file in ``directory``; made if it isn't there, or ``again``. Takes minutes then.

    Call it :func:`locked`. Raises MachineError if the box can't be built.
    """
    box = directory / "lxc.box"
    if box.exists() and not again:
        return box
    on_line("building the box of the lab's machines (two to four minutes, once)")
    new = box.with_suffix(".new")
    with tempfile.TemporaryDirectory(prefix="stackcook-gems-") as collected:
        _collect_gems(Path(collected))
        argv = as_root("bash", str(SCRIPT), str(new), collected, str(FETCH), *map(str, _LOCKS))
        done = run(Command(argv), on_line=on_line)
    if done.status:
        raise MachineError(
            "the box could not be built: " + " ".join(done.output.strip().splitlines()[-3:]),
            where=name(),
            remedy="`stackcook box build` shows all that it does",
        )
    new.replace(box)
    return box


def added() -> bool:
    """Whether Vagrant knows the box."""
    home = Path(os.environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d")
    return (home / "boxes" / name() / "0" / "lxc" / "metadata.json").exists()


@contextmanager
def locked() -> Iterator[Path]:
    """Hold the directory of the box against other processes that build or add it; gives it."""
    directory = cache() / "boxes" / key()
    directory.mkdir(parents=True, exist_ok=True)
    with lock(directory / "lock"):
        yield directory


def _collect_gems(directory: Path) -> None:
    """Put what this machine's own set-up downloaded where the build looks for it."""
    for gem in (f"{name}-{version}.gem" for name, version in gems().items()):
        for path in (cache() / "gems").glob(f"*/cache/{gem}"):
            shutil.copyfile(path, directory / gem)
