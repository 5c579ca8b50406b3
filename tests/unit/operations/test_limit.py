"""``--limit``: names, ranges, patterns and roles."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackcook.errors import Position, UsageError
from stackcook.manifest.model import Manifest, Node
from stackcook.operations.limit import limited, of_one_zone
from tests.fakes import two_zones

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
        ("", "no node is named; use one of controller, compute01, "),
        (" ,", "no node is named; "),
    ],
)
def test_what_selects_nothing(word: str, error: str) -> None:
    with pytest.raises(UsageError) as raised:
        limited(MANIFEST, [word])
    assert str(raised.value).startswith(f"--limit: {error}")


ZONED = two_zones(Path("/nowhere"), computes=2)


@pytest.mark.parametrize(
    "words, zones, names",
    [
        ((), ("beta",), ["beta-compute1", "beta-compute2", "beta-controller"]),
        (("role[single-controller]",), ("beta",), ["beta-controller"]),
        (("*compute1",), ("alpha", "beta"), ["alpha-compute1", "beta-compute1"]),
    ],
)
def test_nodes_of_zones(words: tuple[str, ...], zones: tuple[str, ...], names: list[str]) -> None:
    found = limited(ZONED, words, zones=zones)
    assert found is not None and sorted(found) == names


def test_wrong_zones() -> None:
    with pytest.raises(UsageError, match='unknown zone betta; did you mean "beta"'):
        limited(ZONED, (), zones=("betta",))
    with pytest.raises(UsageError, match="unknown zone x; omit it: the manifest has no zones"):
        limited(MANIFEST, (), zones=("x",))
    with pytest.raises(UsageError, match="none of the selected nodes is in beta"):
        limited(ZONED, ("alpha-*",), zones=("beta",))


def test_a_command_for_one_cloud_needs_a_zone() -> None:
    assert of_one_zone(ZONED, "beta").os_cloud == "stackcook-beta"
    assert of_one_zone(MANIFEST, None) is MANIFEST
    with pytest.raises(UsageError, match="the manifest has several zones; add `--zone alpha`"):
        of_one_zone(ZONED, None)
