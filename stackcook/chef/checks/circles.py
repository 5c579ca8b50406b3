"""Circles in what names what: roles in roles, cookbooks that depend on each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def circles(graph: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """Each circle once, from its first name in the alphabet on: ``(a, b)`` for a → b → a.

    Every circle has an edge of one that is found: once those are broken, none is left. Names that
    are no keys of ``graph`` lead nowhere.
    """
    found: dict[tuple[str, ...], None] = {}
    done: set[str] = set()
    for start in graph:
        if start in done:
            continue
        way = {start: 0}  # the names from start to here, with their number
        open_ends = [iter(graph[start])]
        while open_ends:
            name = next(open_ends[-1], None)
            if name is None:
                open_ends.pop()
                done.add(way.popitem()[0])
            elif name in way:
                found[_from_the_first(list(way)[way[name] :])] = None
            elif name in graph and name not in done:
                way[name] = len(way)
                open_ends.append(iter(graph[name]))
    return list(found)


def shown(circle: tuple[str, ...]) -> str:
    """``a -> b -> a``."""
    return " -> ".join((*circle, circle[0]))


def _from_the_first(circle: list[str]) -> tuple[str, ...]:
    first = circle.index(min(circle))
    return (*circle[first:], *circle[:first])
