"""lxcfs shows each container its own memory and CPUs; without it, containers see this machine's.

With its Debian package, LXC mounts its files into each container that starts while it runs.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

from stackcook.cache import cache
from stackcook.command import Command, Runner, as_root, find_program
from stackcook.command import run as run_command
from stackcook.errors import UsageError
from stackcook.files import lock

MOUNT = Path("/var/lib/lxcfs")
PATIENCE = 5.0
"""Seconds that lxcfs may take to mount its files."""


def start(run: Runner = run_command, mount: Path = MOUNT, patience: float = PATIENCE) -> str:
    """Start lxcfs, unless it runs. Returns why it does not run, or an empty text."""
    shown = mount / "proc" / "meminfo"
    if os.path.exists(shown):  # unlike Path.exists, False where lxcfs was killed
        return ""
    try:
        find_program("lxcfs")
        # Debian's `service` also works where systemd does not run.
        command = Command(as_root("service", "lxcfs", "start"))
    except UsageError as error:
        return str(error)
    cache().mkdir(parents=True, exist_ok=True)
    with lock(cache() / "lxcfs.lock"):  # two labs at once
        if _was_killed(mount):
            # Debian's script would do this with fusermount, which may not be installed.
            unmounted = run(Command(as_root("umount", "--lazy", str(mount))))
            if unmounted.status:
                return f"it was killed, and {mount} cannot be unmounted ({unmounted.quoted})"
        # The status says little: the script fails if it only can't hide lxcfs from the OOM killer.
        done = run(command)
        until = time.monotonic() + patience
        while not os.path.exists(shown):
            if time.monotonic() > until:
                return f"`{command}` did not start it ({done.quoted})"
            time.sleep(0.02)
    return ""


def _was_killed(mount: Path) -> bool:
    """Whether lxcfs was killed, which leaves a mount behind; it can't start until that is gone."""
    try:
        os.stat(mount)
    except OSError as error:
        return error.errno == errno.ENOTCONN
    return False
