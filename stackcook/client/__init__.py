"""The Chef client's gems, locked: nodes, the lab's box and this machine all get these versions."""

from __future__ import annotations

import shutil
from pathlib import Path

from stackcook.cache import cache

LOCK = Path(__file__).with_name("client.lock")
"""The gems, "name version" a line, in the order to install them. Written by setup/relock."""

FETCH = Path(__file__).with_name("fetch_gems.rb")
"""A Ruby script that downloads the gems of a lock which a directory lacks."""

BUILD = Path(__file__).with_name("build.sh")
"""A script that builds a Debian package of the gems, for one release."""


def gems(lock: Path = LOCK) -> dict[str, str]:
    """The gems of a lock, name → version, in the order to install them."""
    lines = (line.split() for line in lock.read_text().splitlines() if line[:1] not in ("", "#"))
    return {name: version for name, version in lines}


def collect(directory: Path) -> None:
    """Copy the gems that `stackcook setup` downloaded to where FETCH looks for them."""
    for gem in (f"{name}-{version}.gem" for name, version in gems().items()):
        for path in (cache() / "gems").glob(f"*/cache/{gem}"):
            shutil.copyfile(path, directory / gem)
