"""``--limit``: names, ranges, patterns and roles."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.errors import Position, UsageError
from stackcook.manifest.model import Manifest, Node
from stackcook.operations.limit import limited

AT = Position(1, 1)
NAMES = ("controller", *(f"compute{number:02}" for number in range(1, 13)), "r1-a", "r1-b", "r2-a")
MANIFEST = Manifest(
    Path("infrastructure.yml"),
    "lab",
    nodes=tuple(
        Node(name, AT, run_list=("role[1-2]",) if name.startswith("r") else ()) for name in NAMES
    ),
)


@pytest.mark.parametrize(
    "words, names",
    [
        (["compute[01-03]"], ["compute01", "compute02", "compute03"]),
        (["compute[01,11-12]"], ["compute01", "compute11", "compute12"]),
        (["compute[01-02],controller", "compute04"], ["compute01", "compute02", "compute04"]),
        (["compute1*"], ["compute10", "compute11", "compute12"]),
        (["compute?0"], ["compute10"]),
        (["r[1-2]-*"], ["r1-a", "r1-b", "r2-a"]),
        (["role[1-2]"], ["r1-a", "r1-b", "r2-a"]),
        (["compute[05-05]"], ["compute05"]),
    ],
)
def test_what_is_selected(words: list[str], names: list[str]) -> None:
    expected = {*names, *(["controller"] if "controller" in words[0] else [])}
    assert limited(MANIFEST, words) == expected


def test_without_words_all_nodes_are_meant() -> None:
    assert limited(MANIFEST, ()) is None


@pytest.mark.parametrize(
    "word, error",
    [
        ("compute[11-14]", 'unknown node compute13; did you mean "compute12"?'),
        ("mail*", "no node matches mail*; use one of controller, compute01, "),
        ("compute[1-]", "[1-] is not a range of numbers; write numbers between the brackets"),
        ("compute[3-1]", "[3-1] ends before it begins; "),
        ("compute[1-", '"compute[1-" has a bracket without its other one; '),
        ("role[web]", "no node has role[web] in its run list; "),
    ],
)
def test_what_selects_nothing(word: str, error: str) -> None:
    with pytest.raises(UsageError) as raised:
        limited(MANIFEST, [word])
    assert str(raised.value).startswith(f"--limit: {error}")
