"""Circles in what names what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackcook.chef.checks.circles import circles, shown

NAMES = st.sampled_from("abcdef")


@pytest.mark.parametrize(
    ("edges", "found"),
    [
        ("", []),
        ("ab bc ac", []),
        ("aa", ["a -> a"]),
        ("cb ba ac", ["a -> c -> b -> a"]),
        ("ab ba bc cb", ["a -> b -> a", "b -> c -> b"]),
        ("xa ab ba ya", ["a -> b -> a"]),
        ("ab bz", []),
    ],
)
def test_circles(edges: str, found: list[str]) -> None:
    graph: dict[str, list[str]] = {}
    for one, other in edges.split():
        graph.setdefault(one, []).append(other)
    assert [shown(circle) for circle in circles(graph)] == found


def test_a_long_way_round() -> None:
    graph = {str(n): [str((n + 1) % 5000)] for n in range(5000)}
    (circle,) = circles(graph)
    assert len(circle) == 5000


@given(st.dictionaries(NAMES, st.lists(NAMES)))
def test_each_is_one_and_without_them_there_is_none(graph: dict[str, list[str]]) -> None:
    found = circles(graph)
    broken = {pair for circle in found for pair in zip(circle, (*circle[1:], circle[0]))}
    assert all(other in graph[one] for one, other in broken)
    assert len(set(map(frozenset, found))) <= len(broken)
    left = {one: [x for x in others if (one, x) not in broken] for one, others in graph.items()}
    assert circles(left) == []
