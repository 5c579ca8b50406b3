"""What the tests of availability and encryption would notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wire import clear_text, gaps, pinged

SECRETS = ("s3cret-0ne", "s3cret-tw0")


@pytest.mark.parametrize(
    "packets, found",
    [
        (b"\x00\x01abc", []),
        (b"\x00password=s3cret-tw0&x", ["secret 1 at byte 10"]),
        (b"X-Auth-Token: gAAAA" + b"b_c-" * 20, ["a token at byte 14"]),
        (b"gAAAA too short", []),
    ],
)
def test_secrets_in_captured_packets(tmp_path: Path, packets: bytes, found: list[str]) -> None:
    (tmp_path / "capture").write_bytes(packets)
    assert clear_text(tmp_path / "capture", SECRETS) == found


def test_the_longest_gap_of_each_api() -> None:
    apis = [{"api": "image", "longest_gap": 0.0}, {"api": "compute", "longest_gap": 7.25}]
    assert gaps({"apis": apis}) == {"image": 0.0, "compute": 7.25}


def test_an_address_that_answers_loses_nothing() -> None:
    with pinged("127.0.0.1") as pings:
        while pings.sent < 2:
            pass
    assert pings.lost == 0 and pings.longest < 60
