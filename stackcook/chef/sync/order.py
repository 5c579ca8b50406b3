"""In which order changes reach the server, so that no node meets a half-done upload."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import zip_longest
from typing import Any, TypeVar

from stackcook.chef.objects.objects import RunListItem
from stackcook.chef.sync.changes import CookbookChange, ObjectChange

T = TypeVar("T")


def cookbook_waves(changes: Iterable[CookbookChange]) -> Iterator[list[CookbookChange]]:
    """Groups that may be put at once, one group after the other.

    First the cookbooks of which the server had no version: nodes can't ask for them yet. Then
    those that nodes may use, each after what it depends on, so that they can always be resolved.
    """
    changes = tuple(changes)
    yield [change for change in changes if change.first]
    needed = {
        change.cookbook.name: (
            change.cookbook.dependencies if change.new or "dependencies" in change.metadata else ()
        )
        for change in changes
    }
    for wave in _waves(changes, lambda change: change.cookbook.name, needed):
        yield [change for change in wave if not change.first]


def batches(wave: Iterable[CookbookChange]) -> Iterator[list[CookbookChange]]:
    """Split a wave so that within a batch none gives up a file that another one gets.

    The server throws a file away as soon as no cookbook has it. Who gets comes before who gives,
    where that can be.
    """
    wave = tuple(wave)
    lacking = frozenset().union(*(change.missing for change in wave))
    batch: list[CookbookChange] = []
    given: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    for change in sorted(wave, key=lambda change: bool(change.given & lacking)):
        if change.missing & given or change.given & missing:
            yield batch
            batch, given, missing = [], frozenset(), frozenset()
        batch.append(change)
        given |= change.given
        missing |= change.missing
    if batch:
        yield batch


def object_waves(changes: Iterable[ObjectChange]) -> Iterator[list[ObjectChange]]:
    """Groups that may be put at once: what is named before what names it.

    Data bags, their items, environments, then roles, each after the roles in its run lists. Of the
    items of one bag no two are put at once: goiardi loses one of them.
    """
    kinds: dict[str, list[ObjectChange]] = {}
    for change in changes:
        kinds.setdefault(change.collection, []).append(change)
    roles = kinds.pop("/roles", [])
    environments = kinds.pop("/environments", [])
    yield kinds.pop("/data", [])
    for items in zip_longest(*kinds.values()):
        yield [item for item in items if item]
    yield environments
    yield from role_waves(roles, lambda change: change.name, lambda change: change.value)


def role_waves(
    roles: Iterable[T], name: Callable[[T], str], value: Callable[[T], Mapping[str, Any]]
) -> Iterator[list[T]]:
    """Groups of roles, each after all that are named in its run lists."""
    roles = tuple(roles)
    return _waves(roles, name, {name(role): _roles_in(value(role)) for role in roles})


def _roles_in(role: Mapping[str, Any]) -> list[str]:
    lists = [role.get("run_list") or (), *(role.get("env_run_lists") or {}).values()]
    found = []
    for entry in (entry for entries in lists for entry in entries):
        try:
            item = RunListItem.parse(str(entry))
        except ValueError:
            continue  # on the server already, and not ours to judge
        if item.kind == "role":
            found.append(item.name)
    return found


def _waves(
    values: Iterable[T], name: Callable[[T], str], needed: Mapping[str, Iterable[str]]
) -> Iterator[list[T]]:
    """The values, each after those that it needs; what goes in a circle is one group."""
    named = {name(value): value for value in values}
    graph = {one: [other for other in needed[one] if other in named] for one in named}
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError:
        yield list(named.values())
        return
    while sorter.is_active():
        ready = sorter.get_ready()
        yield [named[one] for one in ready]
        sorter.done(*ready)
