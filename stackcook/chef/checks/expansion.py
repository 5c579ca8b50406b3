"""What run lists come to once their roles are looked into, as the files have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stackcook.chef.objects import objects
from stackcook.chef.objects.objects import RunListItem

Role = Mapping[str, Any]


def entries(role: Role) -> Iterator[tuple[objects.Keys, RunListItem]]:
    """Each entry of each run list in a role's file, with the keys that lead to it.

    Entries that are none are left out, here and below: :func:`objects.faults` has them.
    """
    for keys, items in objects.run_lists(role):
        for number, entry in enumerate(items if isinstance(items, list) else ()):
            if isinstance(entry, str) and RunListItem.is_one(entry):
                yield (*keys, number), RunListItem.parse(entry)


def run_list_for(role: Role, environment: str) -> list[RunListItem]:
    """The run list of the role on nodes of that environment."""
    lists: dict[objects.Keys, list[RunListItem]] = {keys: [] for keys, _ in objects.run_lists(role)}
    for keys, item in entries(role):
        lists[keys[:-1]].append(item)
    places = [("env_run_lists", environment), ("env_run_lists", "_default"), ("run_list",)]
    return next((lists[place] for place in (*places, ("recipes",)) if place in lists), [])


def recipes_of(
    run_list: Iterable[str], environment: str, roles: Mapping[str, Role]
) -> Iterator[str]:
    """The recipes that a run list comes to, in its order; each role is looked into once."""
    left = [RunListItem.parse(entry) for entry in run_list if RunListItem.is_one(entry)][::-1]
    seen: set[str] = set()
    while left:
        item = left.pop()
        if item.kind == "recipe":
            yield item.name
        elif item.name not in seen:
            seen.add(item.name)
            left += run_list_for(roles.get(item.name, {}), environment)[::-1]


def cookbooks_of(
    run_list: Iterable[str],
    environment: str,
    roles: Mapping[str, Role],
    dependencies: Mapping[str, Iterable[str]],
) -> set[str]:
    """The cookbooks that a node with that run list needs, those that others depend on as well."""
    found = {name.split("::")[0] for name in recipes_of(run_list, environment, roles)}
    left = list(found)
    while left:
        new = set(dependencies.get(left.pop(), ())) - found
        found |= new
        left += new
    return found
