"""What is worth keeping between deployments, in the user's cache directory."""

from __future__ import annotations

import os
from pathlib import Path


def cache() -> Path:
    """``~/.cache/stackcook``, or where ``XDG_CACHE_HOME`` says."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "stackcook"


def packages() -> Path:
    """Where machines keep their .deb files, each in a directory of its own."""
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
