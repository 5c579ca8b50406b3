"""What tests of availability and encryption look at: gaps of APIs, lost pings, captured packets."""

from __future__ import annotations

import mmap
import re
import subprocess
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOKEN = re.compile(rb"gAAAA[\w=-]{50,}")
"""A Fernet token."""


def gaps(probed: Mapping[str, Any]) -> dict[str, float]:
    """API → its longest gap in seconds, of what ``probe --json`` has printed."""
    return {str(api["api"]): float(api["longest_gap"]) for api in probed["apis"]}


def clear_text(capture: Path, secrets: Collection[str]) -> list[str]:
    """What of the cloud's secrets a file of captured packets has, in words that do not repeat it.

    A secret that is split between two packets is not found.
    """
    with capture.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as seen:
        found = [
            f"secret {number} at byte {at}"
            for number, secret in enumerate(secrets)
            if (at := seen.find(secret.encode())) >= 0
        ]
        if token := TOKEN.search(seen):
            found.append(f"a token at byte {token.start()}")
    return found


@dataclass
class Pings:
    """``sent`` pings, and the longest time in seconds without an answer."""

    sent: int = 0
    lost: int = 0
    longest: float = 0.0


@contextmanager
def pinged(address: str) -> Iterator[Pings]:
    """Ping an address each second meanwhile."""
    pings, over = Pings(), threading.Event()

    def ping() -> None:
        last = time.monotonic()
        while not over.wait(1.0):
            done = subprocess.run(["ping", "-c1", "-W1", address], capture_output=True)
            now = time.monotonic()
            pings.sent += 1
            pings.lost += bool(done.returncode)
            pings.longest = max(pings.longest, now - last)
            last = last if done.returncode else now

    thread = threading.Thread(target=ping)
    thread.start()
    try:
        yield pings
    finally:
        over.set()
        thread.join()
