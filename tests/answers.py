"""Whether an SSH server answers: for tests that boot hosts and containers."""

from __future__ import annotations

import socket
import time


def ssh_answers(address: object, patience: float) -> bool:
    """Wait at most ``patience`` seconds until an SSH server answers at ``address``, port 22."""
    deadline = time.monotonic() + patience
    while True:
        try:
            with socket.create_connection((str(address), 22), timeout=2) as probe:
                probe.settimeout(5)
                if probe.recv(4) == b"SSH-":
                    return True
        except OSError:
            pass  # not yet
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
