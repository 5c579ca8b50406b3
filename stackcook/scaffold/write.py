"""Writes files into a directory: all of them or none, and never over what is there unasked."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from stackcook.errors import UsageError

Check = Callable[[Path], None]
"""Looks at the files while they are in a directory of their own; raises what keeps them there."""


def write(
    directory: Path,
    files: Mapping[str, bytes],
    *,
    optional: Iterable[str] = (),
    force: bool = False,
    check: Check = lambda _: None,
) -> tuple[str, ...]:
    """Write ``files`` (path → content) below ``directory``, which is made; what was written.

    Those that are ``optional`` leave what is there alone, even with ``force``, which overwrites
    the others. Raises UsageError with all that is in the way.
    """
    left = {path for path in optional if os.path.lexists(directory / path)}
    wanted = {path: content for path, content in files.items() if path not in left}
    _refuse(directory, wanted, force)
    above = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    with tempfile.TemporaryDirectory(dir=above, prefix=".stackcook-init-") as name:
        staged = Path(name)
        for path, content in wanted.items():
            (staged / path).parent.mkdir(parents=True, exist_ok=True)
            (staged / path).write_bytes(content)
        check(staged)
        for path in wanted:
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(staged / path, directory / path)
    return tuple(wanted)


def _refuse(directory: Path, files: Iterable[str], force: bool) -> None:
    """Raise UsageError where something lies in the way of a file, or of its directory."""
    if os.path.lexists(directory) and not directory.is_dir():
        raise UsageError("is no directory", where=str(directory), remedy="name another")
    there, blocking = set(), set()
    for path in files:
        if (directory / path).is_dir():
            blocking.add(f"{path}/")
        elif os.path.lexists(directory / path):
            there.add(_unit(path))
        for parent in (str(parent) for parent in Path(path).parents):
            if os.path.lexists(directory / parent) and not (directory / parent).is_dir():
                blocking.add(parent)
    if blocking:
        raise _in_the_way(directory, blocking, "move them away, or name another directory")
    if there and not force:
        raise _in_the_way(directory, there, "name another directory, or overwrite with --force")


def _unit(path: str) -> str:
    """The file, or the whole directory that it is somewhere in: ``cookbooks/NAME/``."""
    parts = path.split("/")
    return f"{'/'.join(parts[:2])}/" if len(parts) > 2 else path


def _in_the_way(directory: Path, paths: Iterable[str], remedy: str) -> UsageError:
    what = f"already there: {', '.join(sorted(paths))}"
    return UsageError(what, where=str(directory), remedy=remedy)
