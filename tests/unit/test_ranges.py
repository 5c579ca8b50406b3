"""Ranges of numbers in names and addresses."""

from __future__ import annotations

import time

import pytest

from stackcook.ranges import MOST, RangeError, collapse, expand


@pytest.mark.parametrize(
    "text, names",
    [
        ("web", ["web"]),
        ("web[1-3]", ["web1", "web2", "web3"]),
        ("web[9-11]", ["web9", "web10", "web11"]),
        ("web[08-11]", ["web08", "web09", "web10", "web11"]),
        ("web[098-101].example.com", [f"web{n}.example.com" for n in ("098", "099", "100", "101")]),
        ("web[5]", ["web5"]),
        ("web[1-2,7,09-10]", ["web1", "web2", "web7", "web09", "web10"]),
        ("r[1-2]-n[01-02]", ["r1-n01", "r1-n02", "r2-n01", "r2-n02"]),
        ("fd00::[9-11]", ["fd00::9", "fd00::10", "fd00::11"]),
        ("[1-2]", ["1", "2"]),
    ],
)
def test_names(text: str, names: list[str]) -> None:
    assert expand(text) == tuple(names)


@pytest.mark.parametrize(
    "text, error",
    [
        ("web[]", r"\[\] is not a range of numbers"),
        ("web[a-f]", r"\[a-f\] is not a range of numbers"),
        ("web[1-2-3]", r"\[1-2-3\] is not a range of numbers"),
        ("web[1,]", r"\[1,\] is not a range of numbers"),
        ("web[١-٣]", "is not a range of numbers"),
        ("web[80-01]", r"\[80-01\] ends before it begins"),
        ("web[1-2", "has a bracket without its other one"),
        ("web1-2]", "has a bracket without its other one"),
        ("web[[1-2]]", "has a bracket without its other one"),
        (f"web[1-{MOST + 1}]", "stands for 10,001 names, which is more than 10,000"),
        ("web[1-101][1-100]", "stands for 10,100 names, which is more than 10,000"),
    ],
)
def test_what_is_no_range(text: str, error: str) -> None:
    with pytest.raises(RangeError, match=error):
        expand(text)


@pytest.mark.parametrize("text", ["n[1-999999999999999999]", "n" + "[1-9999]" * 20])
def test_a_huge_range_is_refused_before_it_is_made(text: str) -> None:
    began = time.process_time()
    with pytest.raises(RangeError, match="which is more than 10,000"):
        expand(text)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "web",
        "compute[01-80]",
        "a[9-11] b7 b9 c",
        "r[1-2] web r3",
        "n[098-101].example.com",
        "7",
    ],
)
def test_names_that_follow_each_other_are_shown_as_a_range(text: str) -> None:
    names = [name for word in text.split() for name in expand(word)]
    assert " ".join(collapse(names)) == text
