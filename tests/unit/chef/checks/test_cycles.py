"""Cycles in references."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackcook.chef.checks.references import cycles

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
def test_cycles(edges: str, found: list[str]) -> None:
    graph: dict[str, list[str]] = {}
    for one, other in edges.split():
        graph.setdefault(one, []).append(other)
    assert [" -> ".join((*cycle, cycle[0])) for cycle in cycles(graph)] == found


def test_a_long_cycle() -> None:
    graph = {str(n): [str((n + 1) % 5000)] for n in range(5000)}
    (cycle,) = cycles(graph)
    assert len(cycle) == 5000


@given(st.dictionaries(NAMES, st.lists(NAMES)))
def test_without_the_found_cycles_there_is_none(graph: dict[str, list[str]]) -> None:
    found = cycles(graph)
    broken = {pair for cycle in found for pair in zip(cycle, (*cycle[1:], cycle[0]))}
    assert all(other in graph[one] for one, other in broken)
    assert len(set(map(frozenset, found))) <= len(broken)
    left = {one: [x for x in others if (one, x) not in broken] for one, others in graph.items()}
    assert cycles(left) == []
