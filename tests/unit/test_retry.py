"""What of a node's output often passes by itself, in lines that were really printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.bootstrap.output import ChefOutput
from stackcook.errors import NodeError, Transient
from stackcook.retry import STEP, Backoff, call, output_is_transient

HERE = Path(__file__).parent / "bootstrap"

PASSING = (HERE / "passing.txt").read_text()

LASTING = (HERE / "lasting.txt").read_text()


@pytest.mark.parametrize("line", PASSING.splitlines())
def test_what_output_is_transient(line: str) -> None:
    assert output_is_transient(["Reading package lists...", line])


@pytest.mark.parametrize("line", LASTING.splitlines())
def test_what_does_not(line: str) -> None:
    assert not output_is_transient(["Reading package lists...", line])


def test_a_full_disk_does_not_pass_whatever_else_is_said() -> None:
    assert not output_is_transient([*PASSING.splitlines(), "No space left on device"])


def test_a_package_that_is_not_found_as_the_mirror_was_away_may_be_found() -> None:
    """apt-get update ends with 0 although it has reached no mirror."""
    assert output_is_transient(
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
    assert output_is_transient(output.evidence) is passing


def test_what_went_well_in_between_is_no_evidence() -> None:
    """chef-client itself tries again; what it dies of then is what counts."""
    output = ChefOutput()
    text = (HERE / "broken.txt").read_text()
    retried = "WARN: Connection refused connecting to http://10.0.115.1:4545/nodes/one, retry 1/5\n"
    for line in (retried + text).splitlines():
        output.feed(line)
    assert not output_is_transient(output.evidence)


def test_a_call_is_retried_until_the_backoff_is_used_up() -> None:
    slept: list[float] = []
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise Transient("away")

    with pytest.raises(Transient):
        call(work, Backoff((1.0, 2.0), jitter=(1.0, 1.0)), sleep=slept.append)
    assert (len(tries), slept) == (3, [1.0, 2.0])


def test_a_permanent_error_is_not_retried() -> None:
    slept: list[float] = []

    def work() -> None:
        raise NodeError("wrong key")

    with pytest.raises(NodeError):
        call(work, STEP, sleep=slept.append)
    assert slept == []
