"""The user's directories that all deployments share: the cache, and data."""

from __future__ import annotations

import glob
import os
import sys
from pathlib import Path


def cache() -> Path:
    """``~/.cache/stackcook``, or ``stackcook`` in ``XDG_CACHE_HOME``."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "stackcook"


def data() -> Path:
    """``~/.local/share/stackcook``, or ``stackcook`` in ``XDG_DATA_HOME``."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "stackcook"


def programs() -> Path:
    """Where `stackcook setup` puts knife and other programs of gems.

    In a virtual environment (a checkout, pipx), that is beside this Python, so that each has its
    own versions; else, or if the user may not write there, in the cache.
    """
    beside = Path(sys.executable).parent
    own = sys.prefix != sys.base_prefix and os.access(beside, os.W_OK)
    return beside if own else cache() / "bin"


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
    # unlike that of Path, this glob passes over directories that are gone
    for package in map(Path, glob.iglob(f"{glob.escape(str(packages()))}/*/*.deb")):
        if package.name not in here:
            here.add(package.name)
            try:
                os.link(package, mine / package.name)
            except FileExistsError:
                pass  # another lab's machine shares it at the same time
            except FileNotFoundError:
                here.remove(package.name)  # another lab is just being destroyed
            except PermissionError:
                break  # the kernel lets only root share what a machine's root wrote
    return mine
