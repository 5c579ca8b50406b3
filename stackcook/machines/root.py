"""Programs that only root may run."""

from __future__ import annotations

import os

from stackcook.command import find_program


def as_root(name: str, *arguments: str) -> tuple[str, ...]:
    """The argv that runs a program as root: by sudo, which must not ask, where we aren't root."""
    argv = (str(find_program(name)), *arguments)
    return argv if os.geteuid() == 0 else (str(find_program("sudo")), "-n", *argv)
