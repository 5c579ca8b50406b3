"""What of a node's output often passes by itself, in lines that were really printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.bootstrap.output import ChefOutput
from stackcook.bootstrap.transient import passes

HERE = Path(__file__).parent

PASSING = (HERE / "passing.txt").read_text()

LASTING = (HERE / "lasting.txt").read_text()


@pytest.mark.parametrize("line", PASSING.splitlines())
def test_what_passes(line: str) -> None:
    assert passes(["Reading package lists...", line])


@pytest.mark.parametrize("line", LASTING.splitlines())
def test_what_does_not(line: str) -> None:
    assert not passes(["Reading package lists...", line])


def test_a_full_disk_does_not_pass_whatever_else_is_said() -> None:
    assert not passes([*PASSING.splitlines(), "No space left on device"])


def test_a_package_that_is_not_found_as_the_mirror_was_away_may_be_found() -> None:
    """apt-get update ends with 0 although it has reached no mirror."""
    assert passes(
        [
            "W: Failed to fetch http://m.example/x  Temporary failure resolving 'm.example'",
            "E: Unable to locate package ruby",
        ]
    )


@pytest.mark.parametrize(
    "name, passing",
    [
        ("refused", True),
        ("unavailable", True),
        ("forbidden", False),
        ("broken", False),
        ("no-cookbook", False),
    ],
)
def test_whole_outputs(name: str, passing: bool) -> None:
    output = ChefOutput()
    for line in (HERE / f"{name}.txt").read_text().splitlines():
        output.feed(line)
    assert passes(output.evidence) is passing


def test_what_went_well_in_between_is_no_evidence() -> None:
    """chef-client itself tries again; what it dies of then is what counts."""
    output = ChefOutput()
    text = (HERE / "broken.txt").read_text()
    retried = "WARN: Connection refused connecting to http://10.0.115.1:4545/nodes/one, retry 1/5\n"
    for line in (retried + text).splitlines():
        output.feed(line)
    assert not passes(output.evidence)
