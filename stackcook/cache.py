"""The user's cache directory, which all deployments share."""

from __future__ import annotations

import os
from pathlib import Path


def cache() -> Path:
    """``~/.cache/stackcook``, or ``stackcook`` in ``XDG_CACHE_HOME``."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "stackcook"


def packages() -> Path:
    """The directory of .deb files; each machine has its own subdirectory."""
    return cache() / "packages"


def package_cache(machine: str) -> Path:
    """The directory that a machine keeps its .deb files in, with all that others had downloaded.

    Each machine has its own, because apt locks it; the files are shared by hard links, which is
    safe since apt never writes into one that is complete.
    """
    mine = packages() / machine
    mine.mkdir(parents=True, exist_ok=True)
    here = {path.name for path in mine.iterdir()}
    for package in packages().glob("*/*.deb"):
        if package.name not in here:
            here.add(package.name)
            try:
                os.link(package, mine / package.name)
            except FileExistsError:
                pass  # another lab's machine shares it at the same time
            except PermissionError:
                break  # the kernel lets only root share what a machine's root wrote
    return mine
