"""The Chef client's gems, locked: nodes, the lab's box and this machine all get these versions."""

from __future__ import annotations

from pathlib import Path

LOCK = Path(__file__).with_name("client.lock")
"""The gems, "name version" a line, in the order to install them. Written by setup/relock."""

FETCH = Path(__file__).with_name("fetch_gems.rb")
"""A Ruby script that downloads the gems of a lock which a directory lacks."""


def gems(lock: Path = LOCK) -> dict[str, str]:
    """The gems of a lock, name → version, in the order to install them."""
    lines = (line.split() for line in lock.read_text().splitlines() if line[:1] not in ("", "#"))
    return {name: version for name, version in lines}
