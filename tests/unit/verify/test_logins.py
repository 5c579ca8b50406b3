"""From lines of logs to services whose password was just rejected."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stackcook.verify import logins

REFUSED = (
    "2026-11-28 12:10:48.981 1316 ERROR oslo.messaging._drivers.impl_rabbit [-] Connection failed: "
    "(0, 0): (403) ACCESS_REFUSED - Login was refused using authentication mechanism AMQPLAIN"
)
OTHERS = [
    "2026-11-28 12:10:48.9 7 WARNING keystone.server [-] Authorization failed. The request you have"
    " made requires authentication. from 10.0.116.1",
    "2026-11-28 12:10:48 7 [Warning] Access denied for user 'nova'@'10.0.116.10'",
    "2026-11-28 12:10:48.9+00:00 [error] <0.9.0> ACCESS_REFUSED - Login was refused",
]


def printed(log: Path) -> str:
    """What the shell command prints for a unit with this log and one that does not exist."""
    command = logins.question({"x": (f"{log}.missing",), "nova-compute": (f"{log}.gone", str(log))})
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout


def rejected(answer: str, now: str, began: str) -> frozenset[str]:
    times = {"nova-compute": f"2026-11-28 {began}", "x": ""}
    return logins.rejected(answer, f"2026-11-28 {now}", times)


def test_a_rejected_login_is_found(tmp_path: Path) -> None:
    log = tmp_path / "nova-compute.log"
    log.write_text("\n".join((*OTHERS, REFUSED, "2026-11-28 12:10:49.1 1 INFO x [-] y", "")))
    answer = printed(log)
    assert answer == f"nova-compute {REFUSED}\n"
    assert rejected(answer, "12:12:00", "12:00:00") == {"nova-compute"}


@pytest.mark.parametrize(("now", "began"), [("12:12:30", "12:00:00"), ("12:11:00", "12:10:50")])
def test_an_old_one_is_not(now: str, began: str) -> None:
    assert rejected(f"nova-compute {REFUSED}\n", now, began) == frozenset()


@pytest.mark.parametrize("line", OTHERS)
def test_what_a_server_says_of_its_clients_is_not(tmp_path: Path, line: str) -> None:
    log = tmp_path / "keystone.log"
    log.write_text(f"{line}\n")
    assert printed(log) == ""
