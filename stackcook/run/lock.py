"""One command at a time per deployment: a lock that is released even after a crash."""

from __future__ import annotations

import getpass
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stackcook.errors import UsageError
from stackcook.run.record import rows
from stackcook.files import DAMAGE, private_directory, try_lock

SESSION = "pytest.lock"
"""The file in .stackcook of a cloud that a session of pytest has deployed, locked while it runs."""


def user() -> str:
    """The user who runs this: the login name, or the user id if there is no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user that no passwd knows
        return str(os.getuid())


@contextmanager
def exclusive(directory: Path, command: str) -> Iterator[None]:
    """Lock the deployment for one command; the kernel releases the lock when the process ends.

    Raises UsageError that says who holds it and since when.
    """
    private_directory(directory)
    with (directory / "lock").open("a+") as file:
        while not try_lock(file):
            refuse(directory)  # if nobody does, a check of the lock was in the way
        file.truncate(0)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        holder = {"command": command, "pid": os.getpid(), "who": user(), "since": now}
        file.write(json.dumps(holder))
        file.flush()
        yield


def refuse(directory: Path) -> None:
    """Raise UsageError if a command is running: it says which, whose, and since when."""
    if in_use(directory):
        raise UsageError(
            f"{_holder(directory)} is running",
            where=str(directory.parent),
            remedy="wait until it ends, or stop it; `stackcook status` shows its progress",
        )


def refuse_undeployed(directory: Path) -> None:
    """Raise UsageError unless a deploy or a converge has begun here; a failed one counts."""
    if not is_deployed(directory):
        raise UsageError(
            "nothing is deployed here",
            where=str(directory.parent),
            remedy="run `stackcook deploy`, or use the directory of the deployment",
        )


def is_deployed(directory: Path) -> bool:
    """Whether a deploy or a converge has begun here, however it ended."""
    return in_use(directory) or bool(rows(directory, "SELECT 1 FROM runs LIMIT 1"))


def forget_session(directory: Path) -> None:
    """Make the cloud that a killed session of pytest has left an ordinary one: it is to stay."""
    path = directory / SESSION
    with suppress(FileNotFoundError), path.open() as file:
        if try_lock(file):
            path.unlink()


def in_use(directory: Path) -> bool:
    """Whether a command is running on the deployment now."""
    try:
        with (directory / "lock").open() as file:
            return not try_lock(file, shared=True)
    except FileNotFoundError:
        return False


def _holder(directory: Path) -> str:
    try:
        holder = json.loads((directory / "lock").read_text())
        return "`stackcook {command}` (pid {pid}, started by {who} at {since})".format(**holder)
    except DAMAGE:  # such as between its lock and its first write
        return "another command"
